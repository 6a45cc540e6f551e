//! The side that was invited: it knocks, proves its key, and takes over the mesh it is let into.

use super::frames::Frames;
use super::{Enrolment, State, kept};
use crate::peer::verify;
use ikigai_enrolment::{JoinRefusal, Joiner};
use ikigai_ports::node::Answer as Answered;
use ikigai_ports::store::Batch;
use ikigai_ports::{PortError, PortResult};
use ikigai_wire::api::{Code, Filter, JoinView, Problem};
use ikigai_wire::peer::join::{Answer, Hello, REQUEST, Request, VERSION};
use ikigai_wire::peer::{Envelope, Token, roster as wire};
use std::sync::Arc;

/// Most bytes a roster may have that a machine is given when it joins.
const MAX_ROSTER: usize = 64 << 20;

/// Why a machine did not join.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may not.
    Refused(JoinRefusal),
    /// Something is in the way.
    Failed(PortError),
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Self::Failed(error)
    }
}

impl From<JoinRefusal> for Failure {
    fn from(refusal: JoinRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Enrolment {
    /// Joins by `token`.
    pub(super) async fn join_by(&self, token: Token) -> Answered<JoinView> {
        let joined = self.knock(&token).await;
        let ahead = joined.map_err(|failure| self.problem(&token, failure))?;
        Ok(JoinView { mesh: self.view(), inviter: token.inviter, clock_ahead_ms: ahead })
    }

    /// Answers the milliseconds this clock is ahead of the other.
    async fn knock(&self, token: &Token) -> Result<i64, Failure> {
        let shared = &self.shared;
        let open_tasks = self.open_tasks().await?;
        let joiner = Joiner { node: shared.node, open_tasks };
        joiner.may_leave(&self.state().roster, token.mesh)?;
        let stream = (shared.parts.dial)(token.seed, token.inviter, token.addresses.clone()).await?;
        let clock = shared.parts.clock.clone();
        let mut frames = Frames::new(stream, &*clock);
        frames.send(&Hello { version: VERSION, mesh: token.mesh, node: shared.node }).await?;
        let (nonce, now) = match frames.receive().await? {
            Answer::Challenge { nonce, now } => (nonce, now),
            Answer::Refused { refusal } => return Err(refusal.into()),
            Answer::Page { .. } => return Err(disorder().into()),
        };
        let ahead = i64::try_from(i128::from(clock.now().0) - i128::from(now.0)).unwrap_or(i64::MAX);
        frames.send(&self.request(token, nonce)?).await?;
        let statements = receive(&mut frames).await?;
        let (state, batch) = self.check(token, statements)?;
        frames.end().await;
        self.enter(joiner, state, batch).await?;
        Ok(ahead)
    }

    fn request(&self, token: &Token, nonce: String) -> PortResult<Envelope> {
        let parts = &self.shared.parts;
        let request = Request {
            mesh: token.mesh,
            host: token.inviter,
            guest: super::port::public_key(&token.seed)?,
            nonce,
            name: parts.name.clone(),
            addresses: self.own_addresses(),
        };
        Envelope::seal(REQUEST, &request, self.shared.node, |bytes| parts.signer.sign(bytes))
    }

    /// The mesh those statements make, if both the node that invited and this one are in it.
    fn check(&self, token: &Token, statements: Vec<Envelope>) -> Result<(State, Batch), JoinRefusal> {
        let unproven = |text: &str| JoinRefusal::Unproven { text: text.to_owned() };
        let mut state = State::of(token.mesh);
        let read = statements.into_iter().filter_map(|e| wire::read(&e, verify).ok().map(|s| (e, s)));
        let (batch, _) = state.take(read.collect());
        // Everyone else has it.
        state.fresh.clear();
        if !state.roster.is_enrolled(token.inviter) {
            return Err(unproven("the node that invited is not in that mesh"));
        }
        if !state.roster.is_enrolled(self.shared.node) {
            return Err(unproven("that node did not enrol this machine"));
        }
        Ok((state, batch))
    }

    /// Makes `new` the mesh of this node: all of it on disk first, then its name.
    async fn enter(&self, joiner: Joiner, new: State, batch: Batch) -> Result<(), Failure> {
        let this = self.clone();
        let done = tokio::spawn(async move {
            let shared = &this.shared;
            let _writing = shared.writing.lock().await;
            joiner.may_leave(&this.state().roster, new.roster.mesh())?;
            let store = &*shared.parts.store;
            kept::commit(store, batch).await?;
            kept::enter(store, new.roster.mesh()).await?;
            shared.state.send_replace(Arc::new(new));
            this.publish();
            Ok(())
        });
        done.await.unwrap_or_else(|e| Err(PortError::failed("joining", e).into()))
    }

    /// Tasks this node owns that are not over.
    async fn open_tasks(&self) -> Result<u64, Failure> {
        let Some(own) = self.shared.own.get() else { return Ok(0) };
        let all = own.snapshot(Filter::default()).await;
        let all = all.map_err(|p| PortError::failed("counting the tasks of this node", p))?;
        let over = ["accepted", "rejected", "failed", "lost", "cancelled"];
        let open = all.tasks.iter().filter(|t| !over.contains(&t.state.as_str()));
        Ok(open.count() as u64)
    }

    fn problem(&self, token: &Token, failure: Failure) -> Problem {
        let late = self.now() >= token.expires;
        match failure {
            Failure::Refused(refusal) => super::port::refused(&refusal),
            Failure::Failed(PortError::Refused(text)) if late => {
                let text = format!("{text}; by this machine's clock it has expired");
                Problem::new(Code::Denied, text, JoinRefusal::Expired.hint())
            }
            Failure::Failed(PortError::Refused(text)) => {
                Problem::new(Code::Denied, text, JoinRefusal::Used.hint())
            }
            Failure::Failed(error @ PortError::Unavailable { .. }) => {
                let at = token.addresses.join(", ");
                let hint = format!(
                    "that machine is to be on, and reachable from here at {at}; name another address with: ikigai \
                     invite --address HOST:PORT"
                );
                Problem::new(Code::Unreachable, error.chain(), hint)
            }
            Failure::Failed(error) => crate::view::problem(error),
        }
    }
}

/// Reads page after page until the last.
async fn receive(frames: &mut Frames<'_>) -> Result<Vec<Envelope>, Failure> {
    let (mut all, mut weight) = (Vec::new(), 0);
    loop {
        match frames.receive().await? {
            Answer::Page { statements, last } => {
                weight += 64 + statements.iter().map(|s: &Envelope| s.payload.len() + 256).sum::<usize>();
                all.extend(statements);
                if last {
                    return Ok(all);
                }
                if weight > MAX_ROSTER {
                    return Err(PortError::Refused("that mesh is larger than any can be".to_owned()).into());
                }
            }
            Answer::Refused { refusal } => return Err(refusal.into()),
            Answer::Challenge { .. } => return Err(disorder().into()),
        }
    }
}

fn disorder() -> PortError {
    PortError::Refused("that node answered out of turn".to_owned())
}

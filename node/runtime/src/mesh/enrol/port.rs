//! What a person asks: to invite, to join, to remove.

use super::{Enrolment, State, kept, sign};
use async_trait::async_trait;
use ikigai_enrolment::invitation::{Fate, MAX_TTL};
use ikigai_enrolment::text::{MAX_ADDRESSES, address_of, clean_addresses};
use ikigai_enrolment::{Invitation, JoinRefusal, Member, Said};
use ikigai_ports::node::Answer;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{NodeId, Timestamp};
use ikigai_wire::api::{
    Code, InvitationView, InviteRequest, JoinRequest, JoinView, MemberView, MeshView, Problem,
};
use ikigai_wire::peer::Token;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use std::time::Duration;

/// How long an invitation is good unless told otherwise.
const TTL: Duration = Duration::from_secs(3600);
/// The shortest time one can be good.
const MIN_TTL: Duration = Duration::from_secs(10);

#[async_trait]
impl ikigai_ports::Enrolment for Enrolment {
    async fn mesh(&self) -> Answer<MeshView> {
        Ok(self.view())
    }

    async fn invite(&self, request: InviteRequest) -> Answer<InvitationView> {
        let ttl = request.ttl_seconds.map_or(TTL, Duration::from_secs);
        if !(MIN_TTL..=MAX_TTL).contains(&ttl) {
            let text = "an invitation is good for ten seconds at least and a week at most";
            return Err(Problem::new(Code::Usage, text, "run: ikigai invite --ttl 1h"));
        }
        let addresses = self.invite_to(&request.addresses)?;
        if !self.is_enrolled(self.shared.node) {
            self.found_again().await?;
        }
        let mut seed = [0; 32];
        self.shared.parts.rng.fill(&mut seed);
        let guest = public_key(&seed).map_err(crate::view::problem)?;
        let now = self.now();
        let (mesh, made) = self
            .change(move |state, _| {
                let mesh = state.roster.mesh();
                let made = state.invitations.issue(guest, ttl, now).map_err(|r| Stop(refused(&r)))?;
                let old = state.invitations.forget(now);
                let batch =
                    old.into_iter().fold(Default::default(), |b, g| kept::forget_invitation(b, mesh, g));
                Ok::<_, Stop>((kept::invitation(batch, mesh, &made), (mesh, made)))
            })
            .await?;
        let token = Token { mesh, inviter: self.shared.node, addresses, expires: made.expires, seed };
        Ok(InvitationView { token: Some(token.encode()), ..view(&made, now) })
    }

    async fn invitations(&self) -> Answer<Vec<InvitationView>> {
        let now = self.now();
        let mut all: Vec<_> = self.state().invitations.all().map(|i| view(i, now)).collect();
        all.sort_by_key(|i| std::cmp::Reverse((i.created_at, i.id)));
        Ok(all)
    }

    async fn revoke(&self, id: &str) -> Answer<InvitationView> {
        let (id, now) = (id.to_ascii_lowercase(), self.now());
        let revoked = self.change(move |state, _| {
            let none = |_| {
                let text = format!("there is no invitation whose id begins with `{id}`, or more than one");
                Stop(Problem::new(Code::NotFound, text, "run: ikigai invite ls"))
            };
            let invitation = state.invitations.revoke(&id, now).map_err(none)?;
            let batch = kept::invitation(Default::default(), state.roster.mesh(), &invitation);
            Ok::<_, Stop>((batch, invitation))
        });
        Ok(view(&revoked.await?, now))
    }

    async fn join(&self, request: JoinRequest) -> Answer<JoinView> {
        let hint = "copy the whole line that `ikigai invite` printed on the other machine";
        let token = Token::decode(&request.token);
        let token = token.map_err(|e| Problem::new(Code::Usage, e.to_string(), hint))?;
        if token.inviter == self.shared.node {
            let text = "this invitation was made by this very machine";
            return Err(Problem::new(
                Code::Usage,
                text,
                "run `ikigai join` on the machine that shall come in",
            ));
        }
        self.reach()?;
        self.join_by(token).await
    }

    async fn remove(&self, node: &NodeId) -> Answer<MemberView> {
        let (node, now) = (*node, self.now());
        if node == self.shared.node {
            let text = "a machine cannot take itself out";
            return Err(Problem::new(
                Code::Usage,
                text,
                "run `ikigai node remove` on another machine of the mesh",
            ));
        }
        let removed = self.change(move |state, shared| {
            let none = || {
                let text = format!("node {} is not in this mesh", node.short());
                Stop(Problem::new(Code::NotFound, text, "run: ikigai node ls"))
            };
            if !state.roster.is_enrolled(shared.node) {
                return Err(Stop(outside()));
            }
            let member = state.roster.member(node).ok_or_else(none)?;
            let remove = state.roster.remove(shared.node, node, now);
            let (batch, changes) = state.take(vec![sign(&*shared.parts.signer, Said::Remove(remove))?]);
            if let Some((_, flaw)) = changes.refused.first() {
                return Err(Stop(Problem::plain(Code::Failed, flaw.to_string())));
            }
            state.see_off(shared, &changes);
            Ok((batch, member))
        });
        Ok(self.member(removed.await?))
    }
}

impl Enrolment {
    pub(super) fn view(&self) -> MeshView {
        let state = self.state();
        MeshView {
            id: state.roster.mesh().to_string(),
            node: self.shared.node,
            removed: !state.roster.is_enrolled(self.shared.node),
            members: state.roster.members().map(|m| self.member(m)).collect(),
        }
    }

    fn member(&self, member: Member) -> MemberView {
        let reach = self.shared.parts.reach.as_ref();
        MemberView {
            linked: reach.is_some_and(|r| r.mesh.links().borrow().contains_key(&member.node)),
            id: member.node,
            name: member.name,
            addresses: member.addresses,
            enrolled_by: member.enrolled_by,
            enrolled_at: member.at,
        }
    }

    fn reach(&self) -> Answer<&crate::Reach> {
        self.shared.parts.reach.as_ref().ok_or_else(|| {
            let text = "this node has no links to others: `mesh.listen` of its configuration is empty";
            Problem::new(Code::Denied, text, "set it, or take it out, and start the node again")
        })
    }

    /// Where this node can be reached, as far as it knows.
    pub(super) fn own_addresses(&self) -> Vec<String> {
        let reach = self.shared.parts.reach.as_ref();
        clean_addresses(reach.map(|r| r.mesh.addresses()).unwrap_or_default())
    }

    /// What an invitation names: what was asked for, then what this node knows.
    fn invite_to(&self, asked: &[String]) -> Answer<Vec<String>> {
        self.reach()?;
        if asked.len() > MAX_ADDRESSES {
            let text = format!("an invitation names {MAX_ADDRESSES} addresses at most");
            return Err(Problem::plain(Code::Usage, text));
        }
        let read = |text: &String| {
            let shown: String = text.chars().take(80).collect();
            let bad = || {
                let hint = "write it as HOST:PORT, or as a multiaddress such as /ip4/10.0.0.1/tcp/7421";
                Problem::new(Code::Usage, format!("`{shown}` is not an address"), hint)
            };
            address_of(text).ok_or_else(bad)
        };
        let asked: Answer<Vec<String>> = asked.iter().map(read).collect();
        let all = clean_addresses(asked?.into_iter().chain(self.own_addresses()));
        if all.is_empty() {
            let text = "this node does not know where others can reach it";
            return Err(Problem::new(Code::Denied, text, "run: ikigai invite --address HOST:PORT"));
        }
        Ok(all)
    }

    /// Founds a mesh anew, on a node that is out of the one it was in.
    async fn found_again(&self) -> Answer<()> {
        let _writing = self.shared.writing.lock().await;
        if self.is_enrolled(self.shared.node) {
            return Ok(());
        }
        let fresh = State::founded(&self.shared.parts, self.shared.node).await;
        self.shared.state.send_replace(std::sync::Arc::new(fresh.map_err(crate::view::problem)?));
        tracing::warn!("this node is out of the mesh it was in, and founded one of its own");
        self.publish();
        Ok(())
    }
}

/// The public key of an ed25519 seed.
pub(super) fn public_key(seed: &[u8; 32]) -> PortResult<NodeId> {
    let failed = || PortError::Refused("this is no key".to_owned());
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| failed())?;
    pair.public_key().as_ref().try_into().map(NodeId::from_bytes).map_err(|_| failed())
}

/// A refusal as it is shown.
pub(super) fn refused(refusal: &JoinRefusal) -> Problem {
    let code = if refusal.is_conflict() { Code::Conflict } else { Code::Denied };
    let text: String = refusal.to_string().chars().filter(|c| !c.is_control()).take(300).collect();
    Problem::new(code, text, refusal.hint())
}

fn outside() -> Problem {
    let text = "this node is not in its mesh any more";
    Problem::new(Code::Denied, text, "join again, with an invitation of a machine that is: ikigai join")
}

fn view(invitation: &Invitation, now: Timestamp) -> InvitationView {
    let (state, used_by) = match invitation.fate {
        Fate::Used { by, .. } => ("used", Some(by)),
        Fate::Revoked { .. } => ("revoked", None),
        Fate::Open if invitation.is_open(now) => ("open", None),
        Fate::Open => ("expired", None),
    };
    InvitationView {
        id: invitation.guest,
        state: state.to_owned(),
        created_at: invitation.created,
        expires_at: invitation.expires,
        used_by,
        token: None,
    }
}

/// A change that is not made, as it is shown.
struct Stop(Problem);

impl From<PortError> for Stop {
    fn from(error: PortError) -> Self {
        Self(crate::view::problem(error))
    }
}

impl From<Stop> for Problem {
    fn from(stop: Stop) -> Self {
        stop.0
    }
}

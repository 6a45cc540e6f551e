//! The side that invited: a guest knocks, proves its own key, and is enrolled.

use super::frames::Frames;
use super::{Enrolment, kept, sign};
use crate::peer::verify;
use ikigai_enrolment::join::may_enter;
use ikigai_enrolment::text::clean_addresses;
use ikigai_enrolment::{JoinRefusal, MeshId, Redeemed, Said};
use ikigai_ports::gate::Duplex;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::NodeId;
use ikigai_wire::peer::Envelope;
use ikigai_wire::peer::join::{Answer, Hello, REQUEST, Request, VERSION, pages};

/// Why nobody was let in.
enum Stop {
    Refused(JoinRefusal),
    Failed(PortError),
}

impl From<JoinRefusal> for Stop {
    fn from(refusal: JoinRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<PortError> for Stop {
    fn from(error: PortError) -> Self {
        Self::Failed(error)
    }
}

impl Enrolment {
    /// Serves one stream of [`ikigai_ports::mesh::Lane::Join`] that `guest` opened: lets its machine in, if its
    /// invitation is good.
    ///
    /// # Errors
    /// When the guest goes away, says what cannot be read, or nothing can be written here.
    pub async fn welcome(&self, guest: NodeId, stream: Box<dyn Duplex>) -> PortResult<()> {
        let clock = self.shared.parts.clock.clone();
        let mut frames = Frames::new(stream, &*clock);
        let refusal = match self.admit(guest, &mut frames).await {
            Ok(node) => {
                tracing::info!(%node, invitation = %guest.short(), "a node was enrolled");
                None
            }
            Err(Stop::Refused(refusal)) => Some(refusal),
            Err(Stop::Failed(error)) => return Err(error),
        };
        if let Some(refusal) = refusal {
            tracing::warn!(invitation = %guest.short(), %refusal, "a machine was not let in");
            frames.send(&Answer::Refused { refusal }).await?;
        }
        frames.end().await;
        Ok(())
    }

    async fn admit(&self, guest: NodeId, frames: &mut Frames<'_>) -> Result<NodeId, Stop> {
        let hello: Hello = frames.receive().await?;
        if hello.version != VERSION {
            return Err(JoinRefusal::Version { speaks: VERSION }.into());
        }
        let nonce = self.shared.parts.rng.hex(16);
        frames.send(&Answer::Challenge { nonce: nonce.clone(), now: self.now() }).await?;
        let envelope: Envelope = frames.receive().await?;
        let expected = Expected { mesh: hello.mesh, host: self.shared.node, guest, nonce };
        let request = expected.check(hello.node, &envelope)?;
        self.enrol(hello.node, request).await?;
        for page in pages(self.state().all()) {
            frames.send(&page).await?;
        }
        Ok(hello.node)
    }

    /// Uses the invitation and signs the enrolment in one commit: either both are on disk, or neither is.
    async fn enrol(&self, node: NodeId, request: Request) -> Result<(), Stop> {
        let now = self.now();
        self.change(move |state, shared| {
            if state.roster.mesh() != request.mesh {
                return Err(Stop::Refused(JoinRefusal::OtherMesh));
            }
            let (redeemed, used) = state.invitations.redeem(request.guest, node, now)?;
            if redeemed == Redeemed::Before && state.roster.is_enrolled(node) {
                return Ok((Default::default(), ()));
            }
            may_enter(&state.roster, shared.node, node)?;
            let addresses = clean_addresses(&request.addresses);
            let enrol = state.roster.enrol(shared.node, node, &request.name, addresses, now);
            let (batch, changes) = state.take(vec![sign(&*shared.parts.signer, Said::Enrol(enrol))?]);
            if !changes.refused.is_empty() {
                return Err(Stop::Refused(JoinRefusal::Full));
            }
            Ok((kept::invitation(batch, request.mesh, &used), ()))
        })
        .await
    }
}

/// What a request has to say.
struct Expected {
    mesh: MeshId,
    host: NodeId,
    guest: NodeId,
    nonce: String,
}

impl Expected {
    fn check(&self, node: NodeId, envelope: &Envelope) -> Result<Request, JoinRefusal> {
        let unproven = |text: String| JoinRefusal::Unproven { text };
        let request: Request = envelope.open(REQUEST, verify).map_err(|e| unproven(e.to_string()))?;
        let said = (envelope.signer, request.mesh, request.host, request.guest, &request.nonce);
        if said != (node, self.mesh, self.host, self.guest, &self.nonce) {
            return Err(unproven("it was signed for something else".to_owned()));
        }
        Ok(request)
    }
}

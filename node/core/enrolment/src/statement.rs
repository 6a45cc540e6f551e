//! What a node may state about who belongs to its mesh. Fields are only added.

use crate::text::{MAX_ADDRESSES, MAX_NAME, is_address};
use crate::{MeshId, StatementId};
use ikigai_types::{NodeId, Timestamp};
use serde::{Deserialize, Serialize};

/// `node` belongs to the mesh. A founder's word about itself counts when the mesh is named by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Enrol {
    /// The mesh.
    pub mesh: MeshId,
    /// Who belongs to it.
    pub node: NodeId,
    /// Its name, for people, as it gave it.
    pub name: String,
    /// Where it was when it was enrolled.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// When, by the signer's clock: for people only.
    pub at: Timestamp,
    /// Of a founder: the number that names the mesh together with its key.
    #[serde(default)]
    pub nonce: String,
    /// What the signer enrolled or removed before that.
    #[serde(default)]
    pub prev: Option<StatementId>,
}

/// `node` does not belong to the mesh any more, and never will again under this key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remove {
    /// The mesh.
    pub mesh: MeshId,
    /// Who is out.
    pub node: NodeId,
    /// When, by the signer's clock: for people only.
    pub at: Timestamp,
    /// The last statement of `node` that still counts, and with it all that it followed; what `node` states
    /// beside those does not.
    #[serde(default)]
    pub keeps: Option<StatementId>,
    /// What the signer enrolled or removed before that.
    #[serde(default)]
    pub prev: Option<StatementId>,
}

/// Where the signer can be reached from now on. The one with the latest `at` counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// The mesh.
    pub mesh: MeshId,
    /// Multiaddresses without a peer id, the best first.
    pub addresses: Vec<String>,
    /// When, by the signer's clock.
    pub at: Timestamp,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Someone is in.
    Enrol(Enrol),
    /// Someone is out.
    Remove(Remove),
    /// The signer is somewhere.
    Address(Address),
}

/// Why a statement is refused, though it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It speaks of another mesh.
    #[error("it is of another mesh")]
    Mesh,
    /// Its name or its addresses are longer or more than allowed, or look like none.
    #[error("its name or addresses are not within their bounds")]
    Bounds,
    /// A node removes itself. Somebody else does that: its word about what it said would be in doubt with it.
    #[error("a node cannot remove itself")]
    Itself,
    /// Nobody who was ever enrolled signed it.
    #[error("its signer was never enrolled")]
    Signer,
    /// The mesh has as many nodes, removals or statements as it may have.
    #[error("the mesh is full")]
    Full,
}

/// Something a node signed, whose signature was found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    id: StatementId,
    signer: NodeId,
    said: Said,
}

// === impl Statement ===

impl Statement {
    /// What `signer` said with a signature over `signed`. The caller checked that signature.
    ///
    /// # Errors
    /// [`Flaw::Bounds`], [`Flaw::Itself`].
    pub fn verified(signer: NodeId, said: Said, signed: &[u8]) -> Result<Self, Flaw> {
        let good = |addresses: &[String]| {
            addresses.len() <= MAX_ADDRESSES && addresses.iter().all(|a| is_address(a))
        };
        let bounded = match &said {
            Said::Enrol(e) => e.name.len() <= MAX_NAME && e.nonce.len() <= 64 && good(&e.addresses),
            Said::Remove(_) => true,
            Said::Address(a) => good(&a.addresses),
        };
        if !bounded {
            return Err(Flaw::Bounds);
        }
        if matches!(&said, Said::Remove(r) if r.node == signer) {
            return Err(Flaw::Itself);
        }
        Ok(Self { id: StatementId::of(signer, signed), signer, said })
    }

    /// Its name.
    pub const fn id(&self) -> StatementId {
        self.id
    }

    /// Who signed it.
    pub const fn signer(&self) -> NodeId {
        self.signer
    }

    /// What it says.
    pub const fn said(&self) -> &Said {
        &self.said
    }

    /// The mesh it speaks of.
    pub const fn mesh(&self) -> MeshId {
        match &self.said {
            Said::Enrol(e) => e.mesh,
            Said::Remove(r) => r.mesh,
            Said::Address(a) => a.mesh,
        }
    }

    /// What its signer had stated before it.
    pub(crate) const fn prev(&self) -> Option<StatementId> {
        match &self.said {
            Said::Enrol(e) => e.prev,
            Said::Remove(r) => r.prev,
            Said::Address(_) => None,
        }
    }

    /// Whether it is the founder's word about itself.
    pub(crate) fn founds(&self) -> bool {
        matches!(&self.said, Said::Enrol(e)
            if e.node == self.signer && MeshId::of(self.signer, &e.nonce) == e.mesh)
    }
}

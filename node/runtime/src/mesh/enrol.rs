//! Who is in the mesh, kept on disk and told to the others: statements and invitations, each durable before it
//! has an effect.

mod exchange;
mod frames;
mod host;
mod joiner;
mod kept;
mod port;

use super::book::Book;
use crate::Reach;
use crate::peer::verify;
use futures::future::BoxFuture;
use ikigai_enrolment::roster::found;
use ikigai_enrolment::{Changes, Invitations, MeshId, Roster, Said, Statement, StatementId};
use ikigai_ports::gate::Duplex;
use ikigai_ports::mesh::Allowed;
use ikigai_ports::store::Batch;
use ikigai_ports::{Clock, NodeHandle, PortError, PortResult, Rng, Signer, Store};
use ikigai_types::{NodeId, Timestamp};
use ikigai_wire::peer::{Envelope, Roster as Sent, roster as wire};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::{Arc, OnceLock};
use tokio::sync::{Mutex, watch};

/// Opens a stream on [`ikigai_ports::mesh::Lane::Join`] to exactly this node at these addresses, with the key of
/// this ed25519 seed. [`PortError::Refused`] when the node is there and has no place for that key,
/// [`PortError::Unavailable`] when it is not.
pub type DialGuest = Arc<
    dyn Fn([u8; 32], NodeId, Vec<String>) -> BoxFuture<'static, PortResult<Box<dyn Duplex>>> + Send + Sync,
>;

/// What enrolment is made of.
#[derive(Clone)]
pub struct EnrolmentParts {
    /// Where statements, invitations and addresses are kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Keys of invitations, and numbers used once.
    pub rng: Arc<dyn Rng>,
    /// The node's key.
    pub signer: Arc<dyn Signer>,
    /// The node's name, for people.
    pub name: String,
    /// The way to others; a node without one is alone and neither invites nor joins.
    pub reach: Option<Reach>,
    /// The way to a node that invited.
    pub dial: DialGuest,
    /// Nodes that the configuration enrols on this node alone, whatever is stated.
    pub fixed: Allowed,
}

/// A node's side of enrolment. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Enrolment {
    shared: Arc<Shared>,
}

struct Shared {
    parts: EnrolmentParts,
    node: NodeId,
    /// Held while a change is decided and written, so that changes follow each other.
    writing: Mutex<()>,
    state: watch::Sender<Arc<State>>,
    allowed: watch::Sender<Arc<Allowed>>,
    own: OnceLock<Arc<dyn NodeHandle>>,
}

/// What is known, as it is on disk.
#[derive(Debug, Clone)]
struct State {
    roster: Roster,
    envelopes: BTreeMap<StatementId, Envelope>,
    invitations: Invitations,
    book: Book,
    /// What the last change brought, so that who lacks only that gets only that.
    fresh: Vec<StatementId>,
    /// Out, and to be told before its link is closed.
    leaving: BTreeSet<NodeId>,
}

// === impl Enrolment ===

impl Enrolment {
    /// Reads what is kept; a node that never was in a mesh founds one, with itself in it.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what was not written.
    pub async fn open(parts: EnrolmentParts) -> PortResult<Self> {
        let node = NodeId::from_bytes(parts.signer.public_key());
        let state = match kept::read(&*parts.store).await? {
            Some(state) => state,
            None => State::founded(&parts, node).await?,
        };
        let shared = Shared {
            parts,
            node,
            writing: Mutex::default(),
            state: watch::Sender::new(Arc::new(state)),
            allowed: watch::Sender::default(),
            own: OnceLock::new(),
        };
        let this = Self { shared: Arc::new(shared) };
        this.publish();
        Ok(this)
    }

    /// Tells it the node it enrols, which has open tasks or not.
    pub fn belongs_to(&self, own: Arc<dyn NodeHandle>) {
        // Told twice, the first is right.
        let _ = self.shared.own.set(own);
    }

    /// Who may link, as it changes. The transport was told already.
    pub fn allowed(&self) -> watch::Receiver<Arc<Allowed>> {
        self.shared.allowed.subscribe()
    }

    /// The mesh this node is in.
    pub fn mesh_id(&self) -> MeshId {
        self.state().roster.mesh()
    }

    /// Whether `node` is in, by what is known here.
    pub fn is_enrolled(&self, node: NodeId) -> bool {
        self.state().roster.is_enrolled(node)
    }

    /// Takes in statements, durably, and answers what changed by them. What is not signed is passed over.
    ///
    /// # Errors
    /// When the store cannot be written; nothing has changed then.
    pub async fn merge(&self, sent: Vec<Envelope>) -> PortResult<Changes> {
        let news = self.read(sent);
        if news.is_empty() {
            return Ok(Changes::default());
        }
        let changed = self.change(move |state, shared| {
            let (batch, changes) = state.take(news);
            state.see_off(shared, &changes);
            Ok::<_, PortError>((batch, changes))
        });
        let changes = changed.await?;
        if changes.gone.contains(&self.shared.node) {
            tracing::error!(
                "this node was removed from its mesh: no other node of it talks to this one any more"
            );
        }
        for (id, flaw) in &changes.refused {
            tracing::warn!(statement = %id, %flaw, "a statement about the mesh was not taken");
        }
        Ok(changes)
    }

    /// Those of `sent` that are not known and that are signed.
    fn read(&self, sent: Vec<Envelope>) -> Vec<(Envelope, Statement)> {
        let state = self.state();
        let mut seen = HashSet::new();
        let unknown = |e: &Envelope| {
            let id = wire::id(e);
            !state.envelopes.contains_key(&id) && seen.insert(id)
        };
        let sent: Vec<_> = sent.into_iter().filter(unknown).collect();
        let read = sent.into_iter().filter_map(|envelope| match wire::read(&envelope, verify) {
            Ok(statement) => Some((envelope, statement)),
            Err(error) => {
                tracing::warn!(signer = %envelope.signer, %error, "a statement about the mesh was passed over");
                None
            }
        });
        read.collect()
    }

    fn state(&self) -> Arc<State> {
        self.shared.state.borrow().clone()
    }

    fn now(&self) -> Timestamp {
        self.shared.parts.clock.now()
    }

    /// Decides and writes one change after the other: `decide` turns a copy of the state into the next one and
    /// says what to write. Nobody sees the next one before that is on disk. It is not given up half-way when
    /// the caller is.
    async fn change<T, E>(
        &self,
        decide: impl FnOnce(&mut State, &Shared) -> Result<(Batch, T), E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<PortError> + Send + 'static,
    {
        let this = self.clone();
        let done = tokio::spawn(async move {
            let _writing = this.shared.writing.lock().await;
            let mut next = (*this.state()).clone();
            let (batch, out) = decide(&mut next, &this.shared)?;
            kept::commit(&*this.shared.parts.store, batch).await?;
            this.shared.state.send_replace(Arc::new(next));
            this.publish();
            Ok(out)
        });
        done.await.unwrap_or_else(|e| Err(PortError::failed("changing who is enrolled", e).into()))
    }

    /// Tells the transport who may link now, then everyone else: who was just invited is let in at once.
    fn publish(&self) {
        self.shared.allowed.send_if_modified(|old| {
            // Looked at in here, where nobody else publishes: the last to come tells the newest.
            let allowed = self.state().allowed(&self.shared, self.now());
            if **old == allowed {
                return false;
            }
            if let Some(reach) = &self.shared.parts.reach {
                reach.mesh.allow(allowed.clone());
            }
            *old = Arc::new(allowed);
            true
        });
    }
}

// === impl State ===

impl State {
    /// A mesh of which only the id is known.
    fn of(mesh: MeshId) -> Self {
        Self {
            roster: Roster::new(mesh),
            envelopes: BTreeMap::new(),
            invitations: Invitations::default(),
            book: Book::default(),
            fresh: Vec::new(),
            leaving: BTreeSet::new(),
        }
    }

    /// A new mesh with `node` alone in it, on disk.
    async fn founded(parts: &EnrolmentParts, node: NodeId) -> PortResult<Self> {
        let root = found(node, &parts.name, Vec::new(), parts.rng.hex(16), parts.clock.now());
        let mut state = Self::of(root.mesh);
        let (batch, _) = state.take(vec![sign(&*parts.signer, Said::Enrol(root))?]);
        kept::commit(&*parts.store, batch).await?;
        kept::enter(&*parts.store, state.roster.mesh()).await?;
        Ok(state)
    }

    /// Takes in signed statements, and answers what is to be written and what changed.
    fn take(&mut self, news: Vec<(Envelope, Statement)>) -> (Batch, Changes) {
        let (mut envelopes, mut statements) = (BTreeMap::new(), Vec::with_capacity(news.len()));
        for (envelope, statement) in news {
            envelopes.insert(statement.id(), (envelope, matches!(statement.said(), Said::Address(_))));
            statements.push(statement);
        }
        let changes = self.roster.merge(statements);
        let mut batch = Batch::default();
        let mut moved = false;
        for id in &changes.fresh {
            if let Some((envelope, is_address)) = envelopes.remove(id) {
                let key = kept::statement(self.roster.mesh(), *id, is_address.then_some(envelope.signer));
                batch = batch.put(key, ikigai_wire::record::encode(&envelope));
                moved |= is_address;
                self.envelopes.insert(*id, envelope);
            }
        }
        if moved {
            // Of each node the newest address is held, on disk under the key of the one before.
            let held: HashSet<_> = self.roster.statements().into_iter().collect();
            self.envelopes.retain(|id, _| held.contains(id));
        }
        if !changes.fresh.is_empty() {
            self.fresh.clone_from(&changes.fresh);
        }
        (batch, changes)
    }

    /// Remembers who is out and still linked, so that it hears of it.
    fn see_off(&mut self, shared: &Shared, changes: &Changes) {
        let Some(reach) = &shared.parts.reach else { return };
        let links = reach.mesh.links().borrow().clone();
        self.leaving.extend(changes.gone.iter().filter(|n| links.contains_key(n)));
        self.leaving.retain(|n| !self.roster.is_enrolled(*n));
    }

    /// Who may link with `node` now.
    fn allowed(&self, shared: &Shared, now: Timestamp) -> Allowed {
        let mut allowed = shared.parts.fixed.clone();
        if self.roster.is_enrolled(shared.node) {
            for member in self.roster.members().filter(|m| m.node != shared.node) {
                allowed.peers.insert(member.node, self.book.order(member.node, &member.addresses));
            }
            allowed.guests = self.invitations.guests(now);
        }
        for node in &self.leaving {
            // Only until it was told; it is not dialled.
            allowed.peers.entry(*node).or_default();
        }
        allowed.guests.retain(|g| !allowed.peers.contains_key(g));
        allowed
    }

    /// Every statement, each after one that enrols its signer.
    fn all(&self) -> Vec<Envelope> {
        self.pick(&self.roster.statements())
    }

    fn pick(&self, ids: &[StatementId]) -> Vec<Envelope> {
        ids.iter().filter_map(|id| self.envelopes.get(id).cloned()).collect()
    }

    fn sent(&self, statements: Vec<Envelope>) -> Sent {
        Sent { statements, digest: Some(self.roster.digest()) }
    }
}

/// Signs a statement as this node.
fn sign(signer: &dyn Signer, said: Said) -> PortResult<(Envelope, Statement)> {
    let node = NodeId::from_bytes(signer.public_key());
    let envelope = wire::seal(&said, node, |bytes| signer.sign(bytes))?;
    let statement = Statement::verified(node, said, &envelope.signed_bytes());
    let statement = statement.map_err(|flaw| PortError::Refused(flaw.to_string()))?;
    Ok((envelope, statement))
}

impl fmt::Debug for EnrolmentParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolmentParts").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enrolment").field("node", &self.node).finish_non_exhaustive()
    }
}

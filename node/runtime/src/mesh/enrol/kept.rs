//! What stands on disk: the mesh's id, and below it everything that belongs to that mesh. A node changes its
//! mesh by writing the new one beside the old, then the id.

use super::State;
use crate::mesh::book::Book;
use crate::peer::verify;
use ikigai_enrolment::{Invitation, Invitations, MeshId, StatementId};
use ikigai_ports::store::Batch;
use ikigai_ports::{PortError, PortResult, Store};
use ikigai_types::NodeId;
use ikigai_wire::peer::{Envelope, roster as wire};
use ikigai_wire::record::{decode, encode};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

const ID: &[u8] = b"mesh/id";
const ALL: &[u8] = b"mesh/of/";
const PAGE: usize = 512;
/// Most that one commit weighs.
const WEIGHT: usize = 4 << 20;

/// The mesh this node is in, as it is stored.
#[derive(serde::Serialize, serde::Deserialize)]
struct Current {
    mesh: MeshId,
}

/// An address a node was reached at, as it is stored.
#[derive(serde::Serialize, serde::Deserialize)]
struct Reached {
    address: String,
}

fn below(mesh: MeshId, kind: &str, name: impl std::fmt::Display) -> Vec<u8> {
    format!("mesh/of/{mesh}/{kind}/{name}").into_bytes()
}

/// Where a statement stands: by its name, or by its signer when it says where that is.
pub(super) fn statement(mesh: MeshId, id: StatementId, address_of: Option<NodeId>) -> Vec<u8> {
    match address_of {
        Some(node) => below(mesh, "address", node),
        None => below(mesh, "statement", id),
    }
}

/// Adds an invitation to a batch.
pub(super) fn invitation(batch: Batch, mesh: MeshId, invitation: &Invitation) -> Batch {
    batch.put(below(mesh, "invitation", invitation.guest), encode(invitation))
}

/// Takes an invitation out.
pub(super) fn forget_invitation(batch: Batch, mesh: MeshId, guest: NodeId) -> Batch {
    batch.delete(below(mesh, "invitation", guest))
}

/// Adds where a node was reached.
pub(super) fn reached(batch: Batch, mesh: MeshId, node: NodeId, address: &str) -> Batch {
    batch.put(below(mesh, "book", node), encode(&Reached { address: address.to_owned() }))
}

/// Writes a batch, in pieces when it is large: each piece is a beginning of it, and a beginning of a list of
/// statements is good on its own.
pub(super) async fn commit(store: &dyn Store, batch: Batch) -> PortResult<()> {
    if batch.weight() <= WEIGHT {
        return if batch.writes.is_empty() { Ok(()) } else { store.commit(batch).await };
    }
    let mut piece = Batch { expect: batch.expect, writes: Vec::new() };
    let mut weight = 0;
    for (key, value) in batch.writes {
        weight += key.len() + value.as_ref().map_or(0, Vec::len);
        piece.writes.push((key, value));
        if weight > WEIGHT {
            store.commit(std::mem::take(&mut piece)).await?;
            weight = 0;
        }
    }
    store.commit(piece).await
}

/// Makes `mesh` the one this node is in, then drops what it knew of others: it is in, also when that fails.
pub(super) async fn enter(store: &dyn Store, mesh: MeshId) -> PortResult<()> {
    store.commit(Batch::default().put(ID, encode(&Current { mesh }))).await?;
    if let Err(error) = forget_others(store, mesh).await {
        tracing::warn!(error = error.chain(), "what is kept of an earlier mesh stays");
    }
    Ok(())
}

async fn forget_others(store: &dyn Store, mesh: MeshId) -> PortResult<()> {
    let own = below(mesh, "", "");
    let own = &own[..own.len() - 1];
    let mut from = ALL.to_vec();
    loop {
        let page = store.scan(ALL, &from, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        from = [last, &b"\0"[..]].concat();
        let old = page.iter().filter(|(key, _)| !key.starts_with(own));
        commit(store, old.fold(Batch::default(), |b, (key, _)| b.delete(key.clone()))).await?;
    }
}

/// What was written; `None` on a node that was never in a mesh.
pub(super) async fn read(store: &dyn Store) -> PortResult<Option<State>> {
    let Some(entry) = store.get(ID).await? else { return Ok(None) };
    let Current { mesh } = document(&entry.value)?;
    let mut state = State::of(mesh);
    let mut statements = Vec::new();
    for kind in ["statement", "address"] {
        for (_, value) in all(store, mesh, kind).await? {
            let envelope: Envelope = document(&value)?;
            let read = wire::read(&envelope, verify);
            let read = read.map_err(|e| PortError::Corrupt(format!("a statement about the mesh ({e})")))?;
            state.envelopes.insert(read.id(), envelope);
            statements.push(read);
        }
    }
    if let Some((_, flaw)) = state.roster.merge(statements).refused.first() {
        return Err(PortError::Corrupt(format!("the list of who is in the mesh ({flaw})")));
    }
    let invitations = all(store, mesh, "invitation").await?;
    let invitations: PortResult<Vec<Invitation>> = invitations.iter().map(|(_, v)| document(v)).collect();
    state.invitations = Invitations::stored(invitations?);
    let mut book = BTreeMap::new();
    for (node, value) in all(store, mesh, "book").await? {
        let node = node.parse().map_err(|_| PortError::Corrupt("the peer book".to_owned()))?;
        book.insert(node, document::<Reached>(&value)?.address);
    }
    state.book = Book::stored(book);
    Ok(Some(state))
}

/// The names and values of one kind.
async fn all(store: &dyn Store, mesh: MeshId, kind: &str) -> PortResult<Vec<(String, Vec<u8>)>> {
    let prefix = below(mesh, kind, "");
    let (mut from, mut found) = (prefix.clone(), Vec::new());
    loop {
        let page = store.scan(&prefix, &from, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(found) };
        from = [last, &b"\0"[..]].concat();
        let named = |(key, entry): (Vec<u8>, ikigai_ports::store::Entry)| {
            (String::from_utf8_lossy(&key[prefix.len()..]).into_owned(), entry.value)
        };
        found.extend(page.into_iter().map(named));
    }
}

fn document<T: DeserializeOwned>(bytes: &[u8]) -> PortResult<T> {
    decode(bytes).map_err(|e| PortError::Corrupt(format!("what is kept of the mesh ({e})")))
}

//! Who is enrolled: one sorted list, shared between copies, in which each node has a short name.

use crate::chance::mix;
use crate::record::Record;
use ikigai_types::NodeId;
use std::sync::Arc;

/// A node's short name in frames and its place on the circle of all of them: 64 bits of its id, well mixed.
///
/// Two enrolled nodes of one place would be one node to most frames; with honest keys that happens once in
/// 2^64 / n² meshes, and a node that makes itself such a key harms its own place only.
pub type Place = u64;

/// The place of `node`.
pub fn place(node: &NodeId) -> Place {
    node.as_bytes().chunks(8).fold(0, |sum, chunk| {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        mix(sum ^ u64::from_le_bytes(word))
    })
}

/// Who is enrolled, and optionally the last record of each. Cheap to clone; copies share until one changes.
#[derive(Debug, Clone, Default)]
pub struct Book {
    entries: Arc<Vec<Entry>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    pub(crate) node: NodeId,
    /// What was known of it when the book was opened; the machine's table goes on from there.
    pub(crate) record: Option<Arc<[u8]>>,
}

impl Book {
    /// Enters a node; false if it was there.
    pub fn allow(&mut self, node: NodeId) -> bool {
        self.insert(node).is_some()
    }

    /// Keeps the last record of an entered node ([`crate::Member::record`], from disk): a node that restarts
    /// takes who was alive for alive until it finds otherwise. False if this is no record of an entered node.
    pub fn remember(&mut self, record: &[u8]) -> bool {
        let Ok(parsed) = Record::parse(record) else { return false };
        let Some(i) = self.find(place(&parsed.node)).filter(|&i| self.entries[i].node == parsed.node) else {
            return false;
        };
        Arc::make_mut(&mut self.entries)[i].record = Some(record.into());
        true
    }

    /// How many are entered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Who is entered.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.entries.iter().map(|entry| entry.node)
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The row of `place`.
    pub(crate) fn find(&self, place: Place) -> Option<usize> {
        self.entries.binary_search_by_key(&place, |entry| entry.place).ok()
    }

    /// The rows of the places that begin with the `bits` first bits of `prefix`.
    pub(crate) fn range(&self, prefix: Place, bits: u8) -> std::ops::Range<usize> {
        let mask = if bits == 0 { 0 } else { u64::MAX << (64 - u32::from(bits.min(64))) };
        let start = self.entries.partition_point(|entry| entry.place < prefix & mask);
        start..self.entries.partition_point(|entry| entry.place <= prefix | !mask)
    }

    /// Enters a node; its row if it is new. A second node of the same place is refused.
    pub(crate) fn insert(&mut self, node: NodeId) -> Option<usize> {
        let place = place(&node);
        let row = self.entries.binary_search_by_key(&place, |entry| entry.place).err()?;
        Arc::make_mut(&mut self.entries).insert(row, Entry { place, node, record: None });
        Some(row)
    }

    pub(crate) fn remove(&mut self, row: usize) {
        Arc::make_mut(&mut self.entries).remove(row);
    }
}

impl FromIterator<NodeId> for Book {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        let mut entries: Vec<Entry> =
            nodes.into_iter().map(|node| Entry { place: place(&node), node, record: None }).collect();
        entries.sort_by_key(|entry| entry.place);
        entries.dedup_by_key(|entry| entry.place);
        Self { entries: Arc::new(entries) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    #[test]
    fn a_book_finds_who_is_entered_and_nobody_else() {
        let mut book: Book = (0..50).map(node).collect();
        assert!(!book.allow(node(3)));
        assert!(book.allow(node(60)));
        for n in 0..=60 {
            let found = book.find(place(&node(n))).map(|row| book.entries()[row].node);
            assert_eq!(found, (n < 50 || n == 60).then(|| node(n)), "{n}");
        }
    }

    #[test]
    fn ranges_part_the_book() {
        let book: Book = (0..200).map(node).collect();
        assert_eq!(book.range(0, 0), 0..200);
        let mut next = 0;
        for prefix in 0..16_u64 {
            let range = book.range(prefix << 60, 4);
            assert_eq!(range.start, next);
            next = range.end;
        }
        assert_eq!(next, 200);
        let first = book.entries()[7].place;
        assert_eq!(book.range(first, 64), 7..8);
    }
}

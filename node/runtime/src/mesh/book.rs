//! The peer book: the address each node was last reached at. A node that starts again tries that one first.

use ikigai_enrolment::text::{MAX_ADDRESSES, is_address};
use ikigai_ports::mesh::Link;
use ikigai_types::NodeId;
use std::collections::BTreeMap;

/// Where nodes were last reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Book(BTreeMap<NodeId, String>);

impl Book {
    /// What was stored.
    pub(crate) fn stored(entries: impl IntoIterator<Item = (NodeId, String)>) -> Self {
        Self(entries.into_iter().collect())
    }

    /// Notes where `node` was reached; whether that is news.
    pub(crate) fn note(&mut self, node: NodeId, link: &Link) -> bool {
        if link.relayed || !is_address(&link.address) || self.0.get(&node) == Some(&link.address) {
            return false;
        }
        self.0.insert(node, link.address.clone());
        true
    }

    /// What `node` states, the one it was reached at before the others. One that it does not state is tried
    /// last: it may be where the other end dialled from.
    pub(crate) fn order(&self, node: NodeId, stated: &[String]) -> Vec<String> {
        let mut order = stated.to_vec();
        if let Some(last) = self.0.get(&node) {
            match stated.iter().position(|a| a == last) {
                Some(n) => order[..=n].rotate_right(1),
                None => {
                    order.truncate(MAX_ADDRESSES - 1);
                    order.push(last.clone());
                }
            }
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_node_was_reached_is_tried_first() {
        let node = NodeId::from_bytes([1; 32]);
        let link = |address: &str| Link { address: address.to_owned(), relayed: false, round_trip: None };
        let stated = ["/a", "/b", "/c"].map(str::to_owned);
        let mut book = Book::default();
        assert_eq!(book.order(node, &stated), ["/a", "/b", "/c"]);
        assert!(book.note(node, &link("/c")));
        assert!(!book.note(node, &link("/c")));
        assert_eq!(book.order(node, &stated), ["/c", "/a", "/b"]);
        assert!(!book.note(node, &Link { relayed: true, ..link("/r") }));
        assert!(book.note(node, &link("/d")));
        assert_eq!(book.order(node, &stated), ["/a", "/b", "/c", "/d"]);
    }
}

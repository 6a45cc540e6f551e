//! Parts of a net in which everything waits for everything: Tarjan's algorithm, without recursion.

/// The parts that are cycles: more than one node, or one that waits for itself. Nodes are sorted.
pub(crate) fn cyclic(before: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut search = Search {
        before,
        seen: vec![None; before.len()],
        low: vec![0; before.len()],
        on_stack: vec![false; before.len()],
        stack: Vec::new(),
        next: 0,
        found: Vec::new(),
    };
    for node in 0..before.len() {
        if search.seen[node].is_none() {
            search.from(node);
        }
    }
    search.found.sort();
    search.found
}

struct Search<'a> {
    before: &'a [Vec<usize>],
    seen: Vec<Option<usize>>,
    low: Vec<usize>,
    on_stack: Vec<bool>,
    stack: Vec<usize>,
    next: usize,
    found: Vec<Vec<usize>>,
}

impl Search<'_> {
    fn from(&mut self, root: usize) {
        let mut path = vec![(root, 0)];
        self.enter(root);
        while let Some((node, edge)) = path.pop() {
            let Some(&target) = self.before[node].get(edge) else {
                self.leave(node, path.last().map(|(parent, _)| *parent));
                continue;
            };
            path.push((node, edge + 1));
            match self.seen[target] {
                None => {
                    self.enter(target);
                    path.push((target, 0));
                }
                Some(index) if self.on_stack[target] => self.low[node] = self.low[node].min(index),
                Some(_) => {}
            }
        }
    }

    fn enter(&mut self, node: usize) {
        self.seen[node] = Some(self.next);
        self.low[node] = self.next;
        self.next += 1;
        self.stack.push(node);
        self.on_stack[node] = true;
    }

    fn leave(&mut self, node: usize, parent: Option<usize>) {
        if let Some(parent) = parent {
            self.low[parent] = self.low[parent].min(self.low[node]);
        }
        if Some(self.low[node]) != self.seen[node] {
            return;
        }
        let start = self.stack.iter().rposition(|n| *n == node).unwrap_or(0);
        let mut part = self.stack.split_off(start);
        for n in &part {
            self.on_stack[*n] = false;
        }
        part.sort_unstable();
        if part.len() > 1 || self.before[node].contains(&node) {
            self.found.push(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_cycles_and_nothing_else() {
        assert!(cyclic(&[vec![1], vec![2], vec![]]).is_empty());
        assert_eq!(cyclic(&[vec![0]]), [[0]]);
        assert_eq!(cyclic(&[vec![1], vec![0], vec![0], vec![4], vec![3]]), [[0, 1], [3, 4]]);
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let chain: Vec<Vec<usize>> =
            (0..200_000).map(|n| if n == 0 { vec![] } else { vec![n - 1] }).collect();
        assert!(cyclic(&chain).is_empty());
    }
}

//! The graph as text: for people, for golden tests, and for Graphviz.

use std::fmt::Write as _;

use crate::document::TaskIdx;
use crate::graph::{EdgeReason, Graph};

impl Graph {
    /// Waves, then for each task what it waits for and why:
    ///
    /// ```text
    /// wave 1: T001
    /// wave 2: T002 T003
    /// T002 <- T001 (file order)
    /// ```
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        for (i, wave) in self.waves().iter().enumerate() {
            let names: Vec<&str> = wave.iter().map(|t| self.name(*t)).collect();
            let _ = writeln!(out, "wave {}: {}", i + 1, names.join(" "));
        }
        let edges = self.edges();
        for group in edges.chunk_by(|a, b| a.to == b.to) {
            let waits: Vec<String> =
                group.iter().map(|e| format!("{} ({})", self.name(e.from), e.reason)).collect();
            let _ = writeln!(out, "{} <- {}", self.name(group[0].to), waits.join(", "));
        }
        out
    }

    /// A Graphviz digraph; arrows lead from what runs first to what waits.
    pub fn to_dot(&self) -> String {
        let mut out = String::from("digraph tasks {\n  rankdir=LR;\n  node [shape=box];\n");
        for id in &self.ids {
            let _ = writeln!(out, "  \"{id}\";");
        }
        for edge in self.edges() {
            let style = if edge.reason == EdgeReason::Explicit { "solid" } else { "dashed" };
            let label = edge.reason.to_string().replace('\\', "\\\\").replace('"', "\\\"");
            let (from, to) = (self.name(edge.from), self.name(edge.to));
            let _ = writeln!(out, "  \"{from}\" -> \"{to}\" [label=\"{label}\", style={style}];");
        }
        out.push_str("}\n");
        out
    }

    fn name(&self, task: TaskIdx) -> &str {
        self.ids.get(task.0).map_or("?", |id| id.as_str())
    }
}

//! An id that stands on several task lines: which one counts.

use std::collections::BTreeMap;

use crate::id::TaskId;
use crate::reader::Draft;

/// What becomes of a task line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    Keep,
    /// Repeats a task of another line, in a summary for example.
    Repeat {
        first: u32,
    },
    /// Uses an id that is taken.
    Duplicate {
        first: u32,
    },
}

/// One fate per task line of the draft.
pub(crate) fn fates(draft: &Draft) -> Vec<Fate> {
    let mut places: BTreeMap<&TaskId, Vec<usize>> = BTreeMap::new();
    for (i, task) in draft.tasks.iter().enumerate() {
        places.entry(&task.head.id).or_default().push(i);
    }
    let mut fates = vec![Fate::Keep; draft.tasks.len()];
    let several: Vec<&Vec<usize>> = places.values().filter(|p| p.len() > 1).collect();
    if several.is_empty() {
        return fates;
    }
    let echoes = echo_blocks(draft);
    for places in several {
        let counts = *places.iter().find(|i| is_phase(draft, **i)).unwrap_or(&places[0]);
        let first = draft.tasks[counts].line;
        for &i in places.iter().filter(|i| **i != counts) {
            let aside = !is_phase(draft, i)
                && (is_aside(draft, i) || is_phase(draft, counts) || echoes[draft.tasks[i].block]);
            fates[i] = if aside { Fate::Repeat { first } } else { Fate::Duplicate { first } };
        }
    }
    fates
}

/// In a phase, as opposed to a summary or a checklist.
fn is_phase(draft: &Draft, task: usize) -> bool {
    let block = &draft.blocks[draft.tasks[task].block];
    draft.sections[block.section].named.is_some() && !block.summary && !block.checklist
}

fn is_aside(draft: &Draft, task: usize) -> bool {
    let block = &draft.blocks[draft.tasks[task].block];
    block.summary || block.checklist
}

/// Blocks of at least two task lines that only repeat what stands above them.
fn echo_blocks(draft: &Draft) -> Vec<bool> {
    let mut first: BTreeMap<&TaskId, usize> = BTreeMap::new();
    let mut counts = vec![(0_usize, 0_usize); draft.blocks.len()];
    for task in &draft.tasks {
        let block = *first.entry(&task.head.id).or_insert(task.block);
        counts[task.block].0 += 1;
        counts[task.block].1 += usize::from(block != task.block);
    }
    counts.iter().map(|(all, repeated)| *all >= 2 && all == repeated).collect()
}

//! The labels and the name by which a node finds its containers again.

use ikigai_ports::executor::{Role, WorkloadSpec};
use ikigai_types::{AttemptId, Epoch, Fence, NodeId};
use std::collections::HashMap;

/// Label that carries the node's full id; containers are listed by it.
pub const NODE: &str = "dev.ikigai.node";
const TASK: &str = "dev.ikigai.task";
const ATTEMPT: &str = "dev.ikigai.attempt";
const EPOCH: &str = "dev.ikigai.epoch";
const ROLE: &str = "dev.ikigai.role";

/// The labels of a workload's container.
pub fn of(spec: &WorkloadSpec) -> HashMap<String, String> {
    let Fence { attempt, epoch } = &spec.fence;
    [
        (NODE, spec.node.to_string()),
        (TASK, attempt.task.to_string()),
        (ATTEMPT, attempt.number.to_string()),
        (EPOCH, epoch.to_string()),
        (ROLE, role_name(spec.role).to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// Reads back what [`of`] wrote; `None` when a label is missing or is not one of ours.
pub fn read(labels: &HashMap<String, String>) -> Option<(NodeId, Fence, Role)> {
    let attempt =
        AttemptId { task: labels.get(TASK)?.parse().ok()?, number: labels.get(ATTEMPT)?.parse().ok()? };
    let epoch = Epoch(labels.get(EPOCH)?.parse().ok()?);
    let role = labels.get(ROLE)?;
    let role = [Role::Agent, Role::Check].into_iter().find(|r| role_name(*r) == role);
    Some((labels.get(NODE)?.parse().ok()?, Fence { attempt, epoch }, role?))
}

/// The container's name: the same for the same node, fence and role, another for any other.
///
/// Task ids hold `:`, which a container's name may not; `_` marks it, and itself.
pub fn name(spec: &WorkloadSpec) -> String {
    let Fence { attempt, epoch } = &spec.fence;
    let task = attempt.task.as_str().replace('_', "__").replace(':', "_.");
    let (node, role) = (spec.node.short(), role_name(spec.role));
    format!("ikigai-{node}-{task}-{number}-e{epoch}-{role}", number = attempt.number)
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Agent => "agent",
        Role::Check => "check",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::tests::spec;

    #[test]
    fn labels_read_back() {
        let spec = spec();
        assert_eq!(read(&of(&spec)), Some((spec.node, spec.fence.clone(), spec.role)));
        for key in [NODE, TASK, ATTEMPT, EPOCH, ROLE] {
            let mut labels = of(&spec);
            labels.remove(key);
            assert_eq!(read(&labels), None, "{key} missing");
            labels.insert(key.to_owned(), "?".to_owned());
            assert_eq!(read(&labels), None, "{key} garbled");
        }
    }

    #[test]
    fn different_workloads_have_different_names() {
        let mut names = std::collections::BTreeSet::new();
        let mut count = 0;
        for task in ["a:b", "a_b", "a.b", "a_.b", "a__b", "a-b", "a-b-1"] {
            for (number, epoch) in [(1, 1), (1, 11), (11, 1)] {
                for role in [Role::Agent, Role::Check] {
                    let mut spec = spec();
                    spec.fence.attempt = AttemptId { task: task.parse().unwrap(), number };
                    spec.fence.epoch = Epoch(epoch);
                    spec.role = role;
                    names.insert(name(&spec));
                    count += 1;
                }
            }
        }
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|n| n.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))));
    }
}

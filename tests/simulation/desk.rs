//! The owner's desk: reports and lines are checked against who holds what, then handed to the owner.

use crate::bugs::Bug;
use crate::holder::Answer;
use crate::node::{Then, Write};
use crate::owner::{Asker, Pending};
use crate::world::{Event, Message, World, index, policy};
use ikigai_ports::peer::Appended;
use ikigai_task::{Input, Observation, Refusal};
use ikigai_types::{AttemptId, Epoch, Fence};
use ikigai_wire::peer::{News, Reply, Report};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the owner knows of a fence.
enum Claim {
    Unknown,
    Granted { to: usize, last: bool, epoch: Epoch },
}

/// It was granted to another node than the one that speaks.
struct Foreign;

/// Reports whose objects are on their way.
pub type Fetches = BTreeMap<u64, (usize, u64, Report)>;

type Next = Option<(Input, Asker)>;

impl World {
    /// What a holder reports: an input for the owner, or nothing yet, or never.
    pub fn reported(&mut self, node: usize, from: usize, call: u64, report: Report) -> Next {
        let claim = match self.claim(node, from, &report.fence) {
            Ok(claim) => claim,
            Err(Foreign) => {
                self.send(node, from, Message::Answer { call, answer: Answer::Failed });
                return None;
            }
        };
        let brings = matches!(&report.news, News::Ended(ended) if ended.change.is_some());
        if let Claim::Granted { last: true, .. } = claim
            && brings
            && from != node
            && !self.mind.fetched.contains(&report.fence)
        {
            let (ticket, life, wait) = (self.ticket(), self.life(node), self.between(20, 600));
            self.mind.fetches.insert(ticket, (from, call, report));
            self.at(wait, Event::Fetched { node, life, ticket });
            return None;
        }
        let Report { mut fence, news } = report;
        if self.has(Bug::NoEpochAtTheResource) {
            fence = self.present(node, &fence);
        }
        let observation = self.observation(node, fence, news);
        Some((Input::Observation(observation), Asker::Reporter { to: from, call }))
    }

    pub fn fetched(&mut self, node: usize, ticket: u64) {
        let Some((from, call, report)) = self.mind.fetches.remove(&ticket) else { return };
        let cut = self.net.is_cut(from, node, self.now) || self.nodes[from].live.is_none();
        if cut || self.trouble(20) {
            return self.send(node, from, Message::Answer { call, answer: Answer::Failed });
        }
        self.mind.fetched.insert(report.fence.clone());
        self.pend(node, Pending::Report { from, call, report });
    }

    fn observation(&self, node: usize, fence: Fence, news: News) -> Observation {
        match news {
            News::Heartbeat => Observation::Heartbeat { fence },
            News::Used { usage } => Observation::Used { fence, usage },
            News::Started { workload, base, isolation_missing } => {
                Observation::Started { fence, workload, base, isolation_missing }
            }
            News::Session { how } => Observation::Session { fence, how },
            News::Typing { writer } => Observation::Typing { fence, writer },
            News::Denied { what } => Observation::Denied { fence, what },
            News::Quota { wait_ms } => {
                let until = self.clock(node).after(Duration::from_millis(wait_ms));
                Observation::Quota { fence, until }
            }
            News::Ended(e) => Observation::Ended {
                fence,
                exit_code: e.exit_code,
                reason: e.reason,
                detail: e.detail,
                usage: e.usage,
                change: e.change,
                salvage: e.salvage,
                saved: e.saved,
            },
        }
    }

    pub fn answer_report(&mut self, node: usize, to: usize, call: u64, result: Result<(), Refusal>) {
        let reply = match result {
            Ok(()) => Reply::Taken { lease_ms: lease_ms() },
            Err(refusal) => {
                self.counts.add("refused");
                let current = match &refusal {
                    Refusal::Stale { fence, current } => {
                        self.check_recorded(node, fence, *current);
                        Some(*current)
                    }
                    _ => None,
                };
                Reply::Refused { current, text: refusal.to_string() }
            }
        };
        self.send(node, to, Message::Answer { call, answer: Answer::Reply(reply) });
    }

    /// Lines of an attempt that runs elsewhere.
    pub fn printed(
        &mut self,
        node: usize,
        from: usize,
        call: u64,
        fence: Fence,
        lines: Vec<(u64, Fence)>,
    ) -> Next {
        let claim = match self.claim(node, from, &fence) {
            Ok(claim) => claim,
            Err(Foreign) => {
                self.send(node, from, Message::Answer { call, answer: Answer::Failed });
                return None;
            }
        };
        let epoch = match claim {
            Claim::Granted { last: true, .. } => None,
            _ if self.has(Bug::NoEpochAtTheResource) => None,
            Claim::Granted { epoch, .. } => Some(epoch),
            Claim::Unknown => Some(Epoch::default()),
        };
        let Some(epoch) = epoch else {
            self.check_lines(node, &fence, &lines);
            let attempt = fence.attempt.clone();
            let then = Then::Answer { to: from, call, attempt: attempt.clone() };
            self.write(node, Write::Lines(attempt, lines), then);
            return None;
        };
        self.counts.add("stale lines");
        let told = &mut self.live(node)?.told;
        if told.insert(fence.clone(), epoch) == Some(epoch) {
            self.answer_stale(node, from, call, epoch);
            return None;
        }
        let acted = Observation::Acted { fence, what: "log line".to_owned() };
        Some((Input::Observation(acted), Asker::Printer { to: from, call, epoch }))
    }

    pub fn lines_kept(&mut self, node: usize, to: usize, call: u64, attempt: &AttemptId) {
        let last = self.nodes[node].disk.kept.lines.get(attempt).and_then(|log| log.keys().last().copied());
        let answer = Answer::Appended(Appended::Upto(last.unwrap_or(0)));
        self.send(node, to, Message::Answer { call, answer });
    }

    pub fn answer_stale(&mut self, node: usize, to: usize, call: u64, epoch: Epoch) {
        self.send(node, to, Message::Answer { call, answer: Answer::Appended(Appended::Stale(epoch)) });
    }

    /// Whose attempt it is. A node speaks for the attempts it was granted and for no other.
    fn claim(&self, node: usize, from: usize, fence: &Fence) -> Result<Claim, Foreign> {
        let owner = self.nodes[node].live.as_ref().map(|live| &live.driver.owner);
        let task = owner.and_then(|o| o.task(&fence.attempt.task));
        let found = task.and_then(|t| Some((t, t.attempts.iter().find(|a| &a.fence == fence)?)));
        let Some((task, attempt)) = found else { return Ok(Claim::Unknown) };
        let last = task.is_last(fence) || task.away(fence).is_some();
        let claim = Claim::Granted { to: index(attempt.node), last, epoch: task.good_epoch() };
        match claim {
            Claim::Granted { to, .. } if to != from => Err(Foreign),
            claim => Ok(claim),
        }
    }

    /// The lease that is good now, whatever came.
    fn present(&self, node: usize, fence: &Fence) -> Fence {
        let owner = self.nodes[node].live.as_ref().map(|live| &live.driver.owner);
        let active = owner.and_then(|o| o.task(&fence.attempt.task)).and_then(|t| t.active());
        active.map_or_else(|| fence.clone(), |a| a.fence.clone())
    }
}

/// What a holder may count on, from before it asked.
pub fn lease_ms() -> u64 {
    let lease = policy().lease;
    let margin = Duration::from_secs(2).max(lease / 5).min(lease / 2);
    u64::try_from((lease - margin).as_millis()).expect("a short time")
}

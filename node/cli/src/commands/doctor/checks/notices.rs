//! The ways by which the node tells a person that it needs them.

use super::Check;
use crate::env::Env;
use crate::programs::on_path;
use ikigai::Config;
use ikigai_wire::api::ChannelView;
use std::path::Path;

/// What is configured, and, where a node answers, what it met on each way.
pub(super) async fn all(env: &Env, config: &Config) -> Vec<Check> {
    let mut checks = configured(config);
    if let Ok(node) = env.remote()
        && let Ok(channels) = node.channels().await
    {
        checks.extend(channels.iter().filter_map(trouble));
        let names: Vec<_> = channels.iter().map(|c| c.name.as_str()).collect();
        if checks.is_empty() && !names.is_empty() {
            checks.push(Check::ok("notify", format!("by {}; try it: ikigai notify test", names.join(", "))));
        }
    }
    checks
}

fn trouble(channel: &ChannelView) -> Option<Check> {
    let trouble = channel.trouble.as_ref()?;
    let found = format!("{}: {trouble}", channel.name);
    let fix = format!("correct [notify.{}], start the node again and run: ikigai notify test", channel.name);
    Some(Check::warn("notify", found, fix))
}

fn configured(config: &Config) -> Vec<Check> {
    let notify = &config.notify;
    let mut checks = Vec::new();
    for (name, to) in [("webhook", &notify.webhook), ("ntfy", &notify.ntfy)] {
        // What is in the environment only the node knows.
        let file = to.as_ref().and_then(|to| to.secret.as_ref()?.strip_prefix("file:"));
        if let Some(path) = file.filter(|path| !Path::new(path).is_file()) {
            let found = format!("{name}: {path} is not there, and its messages wait for it");
            checks.push(Check::fail(
                "notify",
                found,
                format!("put it there, or correct notify.{name}.secret"),
            ));
        }
    }
    if notify.desktop && on_path("notify-send").is_none() {
        let found = "desktop: notify-send is not installed";
        checks.push(Check::fail("notify", found, "run: apt install libnotify-bin"));
    }
    checks
}

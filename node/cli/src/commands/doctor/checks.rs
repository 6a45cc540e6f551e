//! What is looked at: this machine first, then what the node says of itself and of the others.

mod home;
mod machine;
mod mesh;
mod notices;
mod programs;

use super::Check;
use crate::commands::up::chain;
use crate::env::Env;
use ikigai::Config;

pub(super) async fn all(env: &Env) -> Vec<Check> {
    let (settings, config) = settings(env);
    let snapshot = mesh::snapshot(env).await;
    let mut checks = vec![settings, home::state(env)];
    checks.extend(home::keys(env));
    checks.push(home::store(&config));
    checks.extend(machine::disk(env));
    checks.push(machine::clock());
    checks.push(programs::git());
    checks.push(machine::sandbox(&config));
    checks.push(programs::radicle(&config));
    checks.push(programs::spec_kit());
    checks.push(egress(&config));
    checks.extend(notices::all(env, &config).await);
    match snapshot {
        Ok(snapshot) => checks.extend(mesh::seen(&snapshot)),
        Err(check) => {
            checks.extend(machine::addresses(&config));
            checks.push(check);
        }
    }
    checks
}

fn settings(env: &Env) -> (Check, Config) {
    match crate::settings::layers(env).and_then(|layers| layers.config()) {
        Ok(config) => (Check::ok("settings", "every file and variable can be read"), config),
        Err(e) => {
            (Check::fail("settings", chain(&e), "correct it; see: ikigai config explain"), Config::default())
        }
    }
}

/// Where agents may reach, as far as a file says it.
fn egress(config: &Config) -> Check {
    let line = |(name, entry): (&String, &ikigai_types::EgressEntry)| {
        let endpoints: Vec<_> = entry.endpoints.iter().map(ToString::to_string).collect();
        format!("{name}: {}", endpoints.join(", "))
    };
    let entries: Vec<_> = config.egress.0.iter().map(line).collect();
    if entries.is_empty() {
        return Check::ok("egress", "agents reach their model and nothing else");
    }
    Check::ok("egress", format!("a task may be given {}", entries.join("; ")))
}

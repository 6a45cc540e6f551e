//! A workload as the engine's create request: every flag a container gets, in one place.

use crate::labels;
use crate::user::User;
use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, Mount,
    MountBindOptions, MountBindOptionsPropagationEnum, MountType, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum,
};
use ikigai_ports::executor::WorkloadSpec;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::Limits;
use std::collections::HashMap;
use std::path::PathBuf;

/// A mount after it was found harmless and translated to the engine's machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostMount {
    /// Folder on the engine's machine.
    pub source: PathBuf,
    /// Where the workload sees it.
    pub target: PathBuf,
    /// Whether the workload may not write.
    pub read_only: bool,
    /// Whether it is in the engine's own folder, as volumes are: such a mount must follow the machine's.
    pub follows: bool,
}

/// Open files a workload may have: an editor server watches many. A container that has no rights cannot be
/// given more than its engine has, so this stays below what engines are started with.
const OPEN_FILES: i64 = 16_384;

/// Size of `/dev/shm`: what the engine itself grants.
const SHARED_MEMORY: i64 = 64 << 20;

/// The create request for `spec` as `user`, its mounts already checked, with `filter` as its system-call filter
/// where the engine takes one.
///
/// # Errors
/// [`PortError::Refused`] when the workload is not one that may run.
pub fn create(
    spec: &WorkloadSpec,
    user: User,
    mounts: &[HostMount],
    filter: Option<&str>,
) -> PortResult<ContainerCreateBody> {
    check(spec)?;
    Ok(ContainerCreateBody {
        image: Some(spec.image.clone()),
        // The whole command is the entry point: nothing of the image's own is run before it.
        entrypoint: Some(spec.command.clone()),
        cmd: Some(Vec::new()),
        env: Some(spec.env.iter().map(|(key, value)| format!("{key}={value}")).collect()),
        working_dir: Some(spec.workdir.display().to_string()),
        user: Some(user.to_string()),
        hostname: Some("agent".to_owned()),
        labels: Some(labels::of(spec)),
        stop_signal: Some("SIGTERM".to_owned()),
        // A check named by the image would be one more program in the container.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() }),
        network_disabled: Some(true),
        host_config: Some(host_config(&spec.limits, user, mounts, filter)),
        ..Default::default()
    })
}

fn host_config(limits: &Limits, user: User, mounts: &[HostMount], filter: Option<&str>) -> HostConfig {
    let security = [Some("no-new-privileges:true".to_owned()), filter.map(|text| format!("seccomp={text}"))];
    let memory = signed(limits.memory_bytes);
    HostConfig {
        network_mode: Some("none".to_owned()),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(security.into_iter().flatten().collect()),
        readonly_rootfs: Some(true),
        privileged: Some(false),
        // Shared memory and cgroup paths of its own: nothing of the machine's is named inside.
        ipc_mode: Some("private".to_owned()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        // Memory and swap together: what is over is killed, not swapped.
        memory: Some(memory),
        memory_swap: Some(memory),
        nano_cpus: Some(signed(limits.cpu_millis.saturating_mul(1_000_000))),
        pids_limit: Some(signed(limits.pids)),
        ulimits: Some(ulimits(limits)),
        // When the whole machine runs short, a workload goes before the node does.
        oom_score_adj: Some(500),
        // agentd is the first process and reaps; the engine's own init would hide its exit.
        init: Some(false),
        auto_remove: Some(false),
        restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), ..Default::default() }),
        tmpfs: Some(tmpfs(limits, user)),
        shm_size: Some(SHARED_MEMORY.min(memory)),
        mounts: Some(mounts.iter().map(bind).collect()),
        log_config: Some(log_config()),
        ..Default::default()
    }
}

/// `fsize` is what of the disk limit an engine can hold a bind mount to: no single file is larger.
fn ulimits(limits: &Limits) -> Vec<ResourcesUlimits> {
    let limit = |name: &str, value| ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(value),
        hard: Some(value),
    };
    vec![limit("nofile", OPEN_FILES), limit("fsize", signed(limits.disk_bytes)), limit("core", 0)]
}

/// The only places outside its mounts that a workload may write: in memory, counted as its memory.
///
/// Owner and mode are spelled out because the engine's default is root's. No `noexec`: test runs build and
/// start programs there, and the workspace is executable anyway.
fn tmpfs(limits: &Limits, user: User) -> HashMap<String, String> {
    let User { uid, gid } = user;
    let size = (limits.memory_bytes / 2).max(1 << 20);
    let options = format!("rw,exec,nosuid,nodev,size={size},mode=700,uid={uid},gid={gid}");
    ["/tmp", "/home/agent"].map(|path| (path.to_owned(), options.clone())).into()
}

/// `nosuid` cannot be asked for on a bind mount here; no-new-privileges makes such files powerless.
fn bind(mount: &HostMount) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(mount.source.display().to_string()),
        target: Some(mount.target.display().to_string()),
        read_only: Some(mount.read_only),
        bind_options: Some(MountBindOptions {
            propagation: Some(if mount.follows {
                MountBindOptionsPropagationEnum::RSLAVE
            } else {
                MountBindOptionsPropagationEnum::RPRIVATE
            }),
            // What the machine may have mounted inside the folder is not shown.
            non_recursive: Some(true),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Bytes of output kept per workload. The engine's followers lose lines when a log file is rotated, so none
/// is before this is reached, and reading stops there with an error instead of with a hole.
pub const OUTPUT_LIMIT: u64 = 1 << 30;

fn log_config() -> HostConfigLogConfig {
    let options = [
        ("max-size", OUTPUT_LIMIT.to_string()),
        ("max-file", "2".to_owned()),
        ("compress", "false".to_owned()),
        // The workload waits when its output cannot be written: late lines, never lost ones.
        ("mode", "blocking".to_owned()),
    ];
    HostConfigLogConfig {
        typ: Some("local".to_owned()),
        config: Some(options.map(|(key, value)| (key.to_owned(), value)).into()),
    }
}

fn check(spec: &WorkloadSpec) -> PortResult<()> {
    let refuse = |why: String| Err(PortError::Refused(why));
    if !is_digest(&spec.image) {
        let image: String = spec.image.chars().take(80).collect();
        return refuse(format!(
            "image `{image}` is not named by digest: give sha256:… (docker images --no-trunc shows it)"
        ));
    }
    if spec.command.first().is_none_or(String::is_empty) {
        return refuse("the workload has no command".to_owned());
    }
    if spec.env.keys().any(|key| key.is_empty() || key.contains('=')) {
        return refuse("an environment name is empty or holds `=`".to_owned());
    }
    if !spec.workdir.is_absolute() {
        return refuse(format!("working directory {} is not absolute", spec.workdir.display()));
    }
    let Limits { memory_bytes, cpu_millis, pids, disk_bytes, .. } = spec.limits;
    let zero = [("memory", memory_bytes), ("cpu", cpu_millis), ("pids", pids), ("disk", disk_bytes)];
    match zero.into_iter().find(|(_, value)| *value == 0) {
        Some((name, _)) => refuse(format!("the workload's {name} limit is zero: every limit must be set")),
        None => Ok(()),
    }
}

/// `sha256:<64 hex>`, with or without `name@` before it. The engine would look a bare name up.
fn is_digest(image: &str) -> bool {
    let digest = image.rsplit_once('@').map_or(image, |(_, digest)| digest);
    digest.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ikigai_ports::executor::Role;
    use ikigai_types::{AttemptId, Epoch, Fence, NodeId};

    pub(crate) fn spec() -> WorkloadSpec {
        let attempt = AttemptId { task: "1f0c.001-shop.T012".parse().unwrap(), number: 2 };
        WorkloadSpec {
            node: NodeId::from_bytes([7; 32]),
            fence: Fence { attempt, epoch: Epoch(3) },
            role: Role::Agent,
            image: format!("sha256:{}", "0a".repeat(32)),
            command: vec!["/bin/agentd".into(), "--x".into()],
            env: [("A".to_owned(), "b=c".to_owned())].into(),
            mounts: Vec::new(),
            workdir: "/work".into(),
            limits: Limits::default(),
        }
    }

    #[test]
    fn the_container_is_locked_down() {
        let mounts =
            [HostMount { source: "/var/x".into(), target: "/work".into(), read_only: false, follows: false }];
        let body = create(&spec(), User::NOBODY, &mounts, Some("{}")).unwrap();
        only_the_spec_runs(&body);
        let host = body.host_config.unwrap();
        assert_eq!(host.network_mode.as_deref(), Some("none"));
        assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(host.cap_add, None);
        assert_eq!(host.security_opt, Some(vec!["no-new-privileges:true".into(), "seccomp={}".into()]));
        assert_eq!(host.readonly_rootfs, Some(true));
        assert_eq!(host.memory, host.memory_swap);
        assert_eq!(host.pids_limit, Some(512));
        assert_eq!((host.devices, host.binds, host.volumes_from), (None, None, None));
        for options in host.tmpfs.unwrap().values() {
            assert!(
                options.contains("mode=700,uid=10001,gid=10001") && options.contains("nosuid,nodev,size=")
            );
        }
        let mount = &host.mounts.unwrap()[0];
        assert_eq!((mount.source.as_deref(), mount.read_only), (Some("/var/x"), Some(false)));
    }

    fn only_the_spec_runs(body: &ContainerCreateBody) {
        assert_eq!(body.user.as_deref(), Some("10001:10001"));
        assert_eq!(body.entrypoint, Some(vec!["/bin/agentd".to_owned(), "--x".to_owned()]));
        assert_eq!(body.env, Some(vec!["A=b=c".to_owned()]));
        assert_eq!(body.exposed_ports, None);
    }

    #[test]
    fn an_image_by_name_is_refused_with_advice() {
        for image in ["debian", "debian:bookworm-slim", "sha256:0a", "debian@sha256:zz", "", "0a0a"] {
            let error =
                create(&WorkloadSpec { image: image.into(), ..spec() }, User::NOBODY, &[], None).unwrap_err();
            assert!(
                matches!(&error, PortError::Refused(why) if why.contains("by digest")),
                "{image}: {error}"
            );
        }
        let image = format!("debian@sha256:{}", "0a".repeat(32));
        assert!(create(&WorkloadSpec { image, ..spec() }, User::NOBODY, &[], None).is_ok());
    }

    #[test]
    fn what_sets_no_limit_or_no_command_is_refused() {
        let limits = Limits { pids: 0, ..Limits::default() };
        assert!(create(&WorkloadSpec { limits, ..spec() }, User::NOBODY, &[], None).is_err());
        assert!(create(&WorkloadSpec { command: Vec::new(), ..spec() }, User::NOBODY, &[], None).is_err());
        assert!(create(&WorkloadSpec { workdir: "work".into(), ..spec() }, User::NOBODY, &[], None).is_err());
        let env = [("A=B".to_owned(), String::new())].into();
        assert!(create(&WorkloadSpec { env, ..spec() }, User::NOBODY, &[], None).is_err());
    }
}

//! What is written is what is read, in documents and in stored records, and the names on the wire are as published.

use ikigai_types::{Limits, MicroUsd, Resources, Usage};
use ikigai_wire::api::{Command, EvictRequest, NodeCommand, TaskOptions};
use ikigai_wire::record::{decode, encode};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json, to_value};
use std::fmt::Debug;
use std::time::Duration;

fn resources() -> impl Strategy<Value = Resources> {
    any::<[u64; 5]>().prop_map(|[cpu_millis, memory_bytes, disk_bytes, gpus, slots]| Resources {
        cpu_millis,
        memory_bytes,
        disk_bytes,
        gpus,
        slots,
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    any::<([u64; 6], Option<u64>)>().prop_map(
        |([memory_bytes, cpu_millis, pids, disk_bytes, time, stall], max_turns)| Limits {
            memory_bytes,
            cpu_millis,
            pids,
            disk_bytes,
            time: Duration::from_millis(time),
            stall: Duration::from_millis(stall),
            max_turns,
        },
    )
}

fn usage() -> impl Strategy<Value = Usage> {
    (any::<[u64; 3]>(), any::<Option<u64>>()).prop_map(|([calls, input_tokens, output_tokens], cost)| Usage {
        calls,
        input_tokens,
        output_tokens,
        cost: cost.map(MicroUsd),
    })
}

fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
}

proptest! {
    #[test]
    fn quantities_come_back(r in resources(), l in limits(), u in usage(), linger: Option<u64>, grace: u64) {
        let options = TaskOptions { request: Some(r), limits: Some(l), linger_secs: linger, ..TaskOptions::default() };
        same(&options);
        same(&u);
        same(&Command::Evict { grace });
        same(&NodeCommand::Drain { grace });
        same(&EvictRequest { grace, ..EvictRequest::default() });
        prop_assert_eq!(decode::<TaskOptions>(&encode(&options)).unwrap(), options);
        prop_assert_eq!(decode::<Usage>(&encode(&u)).unwrap(), u);
    }
}

#[test]
fn names_on_the_wire() {
    let limits = Limits { time: Duration::from_millis(1500), ..Limits::default() };
    let options = TaskOptions { limits: Some(limits), linger_secs: Some(3), ..TaskOptions::default() };
    let value = to_value(options).unwrap();
    assert_eq!(value["lingerSeconds"], 3);
    assert_eq!(
        value["limits"],
        json!({ "memoryBytes": 2_147_483_648_u64, "cpuMillis": 1000, "pids": 512,
            "diskBytes": 4_294_967_296_u64, "timeMs": 1500, "stallMs": 300_000 })
    );
    assert_eq!(
        to_value(Usage { calls: 1, cost: Some(MicroUsd(0)), ..Usage::default() }).unwrap(),
        json!({ "calls": 1, "inputTokens": 0, "outputTokens": 0, "costMicroUsd": 0 })
    );
    assert_eq!(to_value(Usage::default()).unwrap()["costMicroUsd"], Value::Null);
    assert_eq!(to_value(Command::Evict { grace: 5 }).unwrap(), json!({ "kind": "evict", "graceSeconds": 5 }));
}

//! What Kafka Streams leaves on a broker is what docs/formats.md says, and what a plan of the same topology says.

use std::collections::BTreeMap;

use tidemill::plan::Planning;

use super::topologies::{ALL, Topics, topology};
use super::{Scene, time};
use crate::support::{brokers, committed, topic_config, topic_names, wait_until};

/// Base64 without padding signs, of nine bytes: `02`, and the partition time.
fn metadata(partition_time: i64) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = std::iter::once(2).chain(partition_time.to_be_bytes()).collect();
    let three = |of: &[u8]| u32::from(of[0]) << 16 | u32::from(of[1]) << 8 | u32::from(of[2]);
    let digit = |bits: u32, at: u32| DIGITS[(bits >> (18 - 6 * at) & 63) as usize] as char;
    bytes.chunks(3).flat_map(|chunk| (0..4).map(move |at| digit(three(chunk), at))).collect()
}

#[test]
fn its_own_topics_are_those_of_a_plan() {
    for name in ALL {
        let scene = Scene::new(name, 20);
        let java = scene.java(&[]);
        let application = scene.names.application();
        let topics = Topics::named(scene.topics());
        let planning =
            scene.topics().into_iter().fold(Planning::of(&*application), |planning, topic| planning.topic(topic, 2));
        let plan = planning.plan(&topology(name, &topics)).unwrap();
        let planned: BTreeMap<String, usize> =
            plan.internal.iter().map(|need| (need.name.to_string(), need.partitions as usize)).collect();
        let found = || topic_names(brokers(), &format!("{application}-"));
        wait_until(name, || found().len() >= planned.len());
        assert_eq!(found(), planned, "{name}");
        for need in &plan.internal {
            let expected = need.kind.configs().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            assert_eq!(topic_config(brokers(), &need.name), expected, "{}", need.name);
        }
        java.stop();
    }
}

#[test]
fn its_places_carry_the_partition_time() {
    for settings in [&[][..], &["processing.guarantee=exactly_once_v2"], &["group.protocol=streams"]] {
        let scene = Scene::new("count", 20);
        let java = scene.java(settings);
        let (application, [input, _, _]) = (scene.names.application(), scene.topics());
        let places = || committed(brokers(), &application, input, 2);
        wait_until("everything committed", || places().values().map(|place| place.next).sum::<i64>() == 20);
        java.stop();
        // Keys are spread as every Kafka producer spreads them.
        let mut times: Vec<String> = places().into_values().map(|place| place.metadata).collect();
        times.sort();
        let of = |number: i64| metadata(time(number));
        assert!(times.contains(&of(19)), "{times:?} should hold {}", of(19));
        assert!(times.iter().all(|time| (0..20).any(|number| *time == of(number))), "{times:?}");
    }
}

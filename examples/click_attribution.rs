//! Who clicked on what was shown: two streams joined within a time, and the share of clicks per campaign counted below.
//!
//! ```text
//! cargo run --release --example click_attribution
//! ```

#[cfg(test)]
#[path = "support/crashes.rs"]
mod crashes;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::Error;
use tidemill::prelude::*;

/// Advertisement -> campaign.
const SHOWN: Topic<String, String> = Topic::of("shown");
/// Advertisement -> user.
const CLICKED: Topic<String, String> = Topic::of("clicked");
const RATES: Store<String, Rate> = Store::json("rates");

/// What became of something that was shown.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
#[data(json)]
struct Pair {
    campaign: String,
    user: Option<String>,
}

/// How often a campaign was shown, and clicked on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
#[data(json)]
struct Rate {
    shown: u32,
    clicked: u32,
}

impl Rate {
    fn with(self, pair: &Pair) -> Self {
        Rate { shown: self.shown + 1, clicked: self.clicked + u32::from(pair.user.is_some()) }
    }
}

fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    // A click belongs to what was shown at most half a second before it; one that comes late is waited for.
    let soon = JoinWindows::of(Duration::ZERO).after(Duration::from_millis(500)).with_grace(Duration::from_millis(100));
    let pair = |campaign: &String, user: Option<&String>| Pair { campaign: campaign.clone(), user: user.cloned() };
    builder
        .stream(&SHOWN)
        .left_join_stream_with(&builder.stream(&CLICKED), soon, StreamJoined::store("clicks"), pair)
        .named("attribution")
        .group_by(|_advertisement, pair| pair.campaign.clone())
        .named("by-campaign")
        .aggregate(&RATES, Rate::default, |rate, _campaign, pair| rate.with(pair));
    builder.build()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut settings = Settings::default();
    // What nobody clicked on is looked for at every record, and not once a second.
    settings.tasks.emit_interval = Duration::ZERO;
    let app = App::builder("click-attribution", topology()?).memory().settings(settings).start().await?;
    for (topic, advertisement, value, time) in [
        (&SHOWN, "ad-1", "spring", 1_000),
        (&SHOWN, "ad-2", "spring", 1_010),
        (&SHOWN, "ad-3", "summer", 1_200),
        (&CLICKED, "ad-1", "ann", 1_500),
        (&CLICKED, "ad-3", "bob", 1_450), // late, and in time all the same
        (&CLICKED, "ad-2", "cid", 1_700), // too late
        (&SHOWN, "ad-4", "summer", 2_500),
    ] {
        send(&app, topic, advertisement, value, time).await?;
    }
    app.settled().await?;
    for campaign in ["spring", "summer"] {
        let Rate { shown, clicked } = app.table(&RATES).get(campaign).await?.unwrap_or_default();
        println!("{campaign}: {clicked} of {shown} were clicked on");
    }
    Ok(app.close().await?)
}

async fn send(app: &App, topic: &Topic<String, String>, key: &str, value: &str, time: i64) -> Result<(), Error> {
    app.send_with(topic, key, value, time.into(), &Headers::NONE).await?;
    // One after another, so that each run tells the same.
    app.settled().await
}

#[cfg(test)]
mod tests {
    use tidemill::topology::TaskSettings;
    use tidemill_testkit::explorer::Explorer;

    use super::*;

    #[test]
    fn crashes_leave_no_trace() {
        let settings = TaskSettings { emit_interval: Duration::ZERO, ..TaskSettings::default() };
        let explorer = Explorer::new(&topology().unwrap())
            .settings(settings)
            .input_at(&SHOWN, 1_000, "ad-1", "spring")
            .input_at(&CLICKED, 1_500, "ad-1", "ann")
            .input_at(&SHOWN, 2_500, "ad-2", "summer")
            .at_quiescence("what was shown is counted once, clicked on in time or not", |look| {
                look.store(&RATES, &"spring".to_owned()).is_some_and(|rate| rate.shown == 1)
            });
        crashes::leave_no_trace("click_attribution", &explorer);
    }
}

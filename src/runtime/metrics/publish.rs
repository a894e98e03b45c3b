//! Hands the metrics of an application to a recorder of the `metrics` facade.

use metrics::{Key, KeyName, Label, Level, Metadata, Recorder, SharedString};

use super::Metrics;
use super::catalogue::{self, Info, Kind};
use super::samples::{Sample, Value, samples};

const METADATA: Metadata<'static> = Metadata::new("tidemill", Level::INFO, Some("tidemill"));

impl Metrics {
    /// Describes all metrics to a recorder, and sets them to what they are.
    ///
    /// An application does it by itself, once a second, for the recorder that the program has installed (`metrics::set_global_recorder`);
    /// this is for a recorder of one's own.
    ///
    /// ```
    /// # use tidemill::{App, Topic, stream::StreamsBuilder};
    /// # const IN: Topic<String, i64> = Topic::of("in");
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream(&IN).group_by_key().count();
    /// # let app = App::builder("counts", builder.build()?).memory().start().await?;
    /// app.metrics().publish(&metrics::NoopRecorder);
    /// # app.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn publish(&self, recorder: &dyn Recorder) {
        catalogue::ALL.iter().for_each(|info| describe(info, recorder));
        samples(self).iter().for_each(|sample| set(sample, &self.application, recorder));
    }
}

fn describe(info: &Info, recorder: &dyn Recorder) {
    let (name, unit) = (KeyName::from_const_str(info.name), Some(info.unit));
    let help = SharedString::const_str(info.help);
    match info.kind {
        Kind::Counter => recorder.describe_counter(name, unit, help),
        Kind::Gauge => recorder.describe_gauge(name, unit, help),
    }
}

fn set(sample: &Sample, application: &str, recorder: &dyn Recorder) {
    let Sample { info, labels, value } = sample;
    assert_eq!(info.labels.len(), labels.len(), "`{}` is given the labels that it has", info.name);
    let own = info.labels.iter().zip(labels).map(|(name, value)| Label::new(*name, value.clone()));
    let labels: Vec<Label> = [Label::new("application", application.to_owned())].into_iter().chain(own).collect();
    let key = Key::from_parts(info.name, labels);
    match value {
        // Sums only grow, so the recorder may have it as it is.
        Value::Count(count) => recorder.register_counter(&key, &METADATA).absolute(*count),
        Value::Gauge(value) => recorder.register_gauge(&key, &METADATA).set(*value),
    }
}

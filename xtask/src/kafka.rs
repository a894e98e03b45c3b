//! Gives a step a Kafka broker: the one that `KAFKA_BROKERS` names, else one of its own, which is gone with the step.

use std::ffi::OsString;

use crate::broker::{self, End, Launch, Port};

/// The variable that says where the broker is.
const BROKERS: &str = "KAFKA_BROKERS";
/// The variable that says which program this is: tests that kill brokers have it start some of their own.
const XTASK: &str = "TIDEMILL_XTASK";

/// A broker, as long as this lives.
pub(crate) struct Given {
    own: Option<Port>,
    /// What the step's environment has to say.
    pub(crate) environment: Vec<(&'static str, OsString)>,
}

impl Given {
    /// The broker that was named, or a new one that is launched so.
    pub(crate) fn provide(launch: Launch) -> Result<Given, String> {
        let this = std::env::current_exe().map_err(|error| format!("cannot tell where this program is: {error}"))?;
        let mut given = Given { own: None, environment: vec![(XTASK, this.into())] };
        if std::env::var_os(BROKERS).is_none_or(|brokers| brokers.is_empty()) {
            // In the foreground with this program, so that Ctrl-C ends both.
            let port = broker::start_anywhere(&Launch { apart: false, ..launch })?;
            given.own = Some(port);
            given.environment.push((BROKERS, port.broker().to_string().into()));
        }
        Ok(given)
    }

    /// Where the broker is.
    pub(crate) fn brokers(&self) -> String {
        match self.own {
            Some(port) => port.broker().to_string(),
            None => std::env::var(BROKERS).unwrap_or_default(),
        }
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        let Some(port) = self.own else { return };
        // Nobody needs what is on it.
        if let Err(reason) = broker::stop(port, End { at_once: true, remove: true }) {
            eprintln!("the broker on port {port} stays behind: {reason}");
        }
    }
}

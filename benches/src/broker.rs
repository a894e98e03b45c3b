//! An application on a Kafka cluster, as the measured process of a judge that has its own clock.

use anyhow::{Context, Result};
use tidemill::log::kafka::{Guarantee, KafkaSettings};
use tidemill::{App, AppState};
use tokio::signal::unix::{SignalKind, signal};

use crate::embedded;
use crate::options::{self, Options};
use crate::topologies::{self, Names};

/// Runs until it is told to end.
pub(crate) fn run(options: &Options, application: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(options, application))
}

async fn serve(options: &Options, application: &str) -> Result<()> {
    // Asked for before anything is said, so that none is missed.
    let mut ended = signal(SignalKind::terminate())?;
    let names = Names {
        input: options.input.clone().unwrap_or_default(),
        second_input: options.input2.clone(),
        output: options.output.clone(),
        around: options.around.clone(),
    };
    let guarantee = match options.guarantee {
        options::Guarantee::AtLeastOnce => Guarantee::AtLeastOnce,
        options::Guarantee::ExactlyOnceV2 => Guarantee::ExactlyOnce,
    };
    let client = options.client_settings();
    let kafka = KafkaSettings { guarantee, client, ..KafkaSettings::new(&options.bootstrap) };
    let topology = topologies::build(options.topology(), options.store, &names)?;
    let mut builder = App::builder(application, topology).settings(embedded::settings(options)?).kafka(kafka);
    if let Some(folder) = &options.state_dir {
        builder = builder.state_folder(folder);
    }
    println!("STATE RESTORING");
    let app = builder.start().await.context("the application does not start")?;
    println!("STATE RUNNING restored={}", app.restored());
    // An application that fails ends the process by itself.
    let states = app.states();
    tokio::spawn(async move {
        let mut states = states;
        if let Ok(state) = states.wait_for(|state| matches!(state, AppState::Failed(_))).await {
            eprintln!("{}", *state);
        }
    });
    ended.recv().await;
    Ok(app.close().await?)
}

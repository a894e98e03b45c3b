//! The application as the options want it.

use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use tidemill::log::{Durability, LogSettings};
use tidemill::store::StoreEngine;
use tidemill::{App, Settings};

use crate::options::{CLIENT, Fsync, Options};
use crate::topologies;

pub(super) async fn start(options: &Options, data: &Path) -> Result<App> {
    let topology = topologies::build(options.topology(), options.store, &topologies::Names::of(&options.sets()))?;
    let app = App::builder("bench", topology).settings(settings(options)?).embedded(data).start().await;
    app.context("the application does not start")
}

pub(super) fn log_settings(options: &Options) -> Result<LogSettings> {
    Ok(settings(options)?.log)
}

pub(crate) fn settings(options: &Options) -> Result<Settings> {
    let mut settings = Settings {
        commit_interval: options.commit_interval(),
        threads: options.threads,
        partitions: options.partitions,
        ..Settings::default()
    };
    settings.tasks.cache_bytes = options.cache;
    settings.log.durability = match options.fsync {
        Fsync::Never => Durability::Never,
        Fsync::Interval => Durability::Interval(options.fsync_interval()),
        Fsync::Commit => Durability::EveryCommit,
    };
    for (key, value) in options.set.iter().filter(|(key, _)| !key.starts_with(CLIENT)) {
        set(&mut settings, key, value)?;
    }
    Ok(settings)
}

fn set(settings: &mut Settings, key: &str, value: &str) -> Result<()> {
    match key {
        "memory_bytes" => settings.memory_bytes = number(key, value)?,
        "store_engine" => settings.store_engine = engine(value)?,
        "flush_rows" => settings.flush_rows = number(key, value)?,
        "stores.cache_bytes" => settings.stores.cache_bytes = number(key, value)?,
        "stores.write_buffer_bytes" => settings.stores.write_buffer_bytes = number(key, value)?,
        "log.recent_bytes" => settings.log.recent_bytes = number(key, value)?,
        _ => bail!("there is no setting `{key}`; `--help` lists those that are"),
    }
    Ok(())
}

fn engine(name: &str) -> Result<StoreEngine> {
    match name {
        "fjall" => Ok(StoreEngine::Fjall),
        #[cfg(feature = "rocksdb")]
        "rocksdb" => Ok(StoreEngine::RocksDb),
        _ => bail!("there is no store engine `{name}` in this build: `fjall`, and with the feature `rocksdb` that"),
    }
}

fn number<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(key: &str, value: &str) -> Result<T> {
    value.parse().with_context(|| format!("`{key}={value}` is no number"))
}

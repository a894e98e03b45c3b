//! Input files of operations.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::chance::Chance;
use crate::model::Operation;

/// A folder for one test, with a file of operations in it.
pub(crate) struct Scene {
    folder: TempDir,
    pub(crate) operations: Vec<Operation>,
}

impl Scene {
    /// A scene with an empty file.
    pub(crate) fn new() -> Self {
        let scene = Scene { folder: tempfile::tempdir().unwrap(), operations: Vec::new() };
        std::fs::write(scene.file(), "").unwrap();
        scene
    }

    /// A scene with this many operations in the file.
    pub(crate) fn with_operations(count: usize, chance: &mut Chance) -> Self {
        let mut scene = Scene::new();
        scene.grow(count, chance);
        scene
    }

    /// The file of operations.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("operations.jsonl")
    }

    /// The bank's folder; it does not exist at first.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes more operations at the end of the file.
    pub(crate) fn grow(&mut self, count: usize, chance: &mut Chance) {
        let new: Vec<Operation> = (0..count).map(|_| Operation::any(chance)).collect();
        let text: String = new.iter().map(Operation::line).collect();
        OpenOptions::new().append(true).open(self.file()).unwrap().write_all(text.as_bytes()).unwrap();
        self.operations.extend(new);
    }
}

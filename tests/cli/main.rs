//! The program `tidemill` as its users meet it: what it prints, what it changes, and how it ends.

mod backups;
mod copies;
mod help;
mod looks;
mod programs;
mod repartitions;
mod resets;
mod scene;
mod writes;

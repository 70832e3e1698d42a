//! The simulators, row by row against what the vendors document.

mod brightpearl;
mod dsfx;
mod extensiv;
mod mintsoft;
mod shiphero;

//! Files that are tables: CSV in every dialect that warehouses write.
//!
//! Which column holds what is a map ([`Layout`]), how cells are parted and written is a form ([`Form`]). A file is read row by
//! row: what is wrong with a row is told with its line and column, and the others are read; whoever takes a file whole or not
//! at all asks for that.

mod form;
mod layout;
mod read;
pub(crate) mod shipments;
mod split;
pub(crate) mod stock;

pub(crate) use self::{
    form::{Form, dates, is_one_line},
    layout::{Layout, entries, unquoted},
    read::{SetAside, Table},
    split::records,
};

//! Tables of the registry: one kind of thing, as rows for people and as an object for scripts.

use crate::{
    failure::CliError,
    output::{self, Listing, Output},
};
use serde_json::Value;
use std::array;

/// How one kind of thing is printed.
pub(super) struct Table<T, const N: usize> {
    /// Names of the columns.
    pub(super) columns: [&'static str; N],
    /// The lines that one of them takes.
    pub(super) rows: fn(&T) -> Vec<[String; N]>,
    /// The whole of it.
    pub(super) json: fn(&T) -> Value,
}

impl<T, const N: usize> Table<T, N> {
    /// Prints one.
    pub(super) fn print(&self, form: Output, one: &T) -> Result<(), CliError> {
        if form == Output::Json {
            return output::json(&(self.json)(one));
        }
        let mut listing = Listing::new(form, self.columns);
        self.page(form, &mut listing, std::slice::from_ref(one))?;
        listing.finish("")
    }

    /// Prints all, page after page; `nothing` is said where there are none.
    ///
    /// `page` asks for the page of a token, and answers with the next one's.
    pub(super) async fn list(
        &self,
        form: Output,
        page: impl AsyncFn(String) -> Result<(Vec<T>, String), CliError>,
        nothing: &str,
    ) -> Result<(), CliError> {
        let mut listing = Listing::new(form, self.columns);
        let mut token = String::new();
        loop {
            let (items, next) = page(token).await?;
            self.page(form, &mut listing, &items)?;
            if next.is_empty() {
                return listing.finish(nothing);
            }
            token = next;
        }
    }

    fn page(&self, form: Output, listing: &mut Listing<N>, items: &[T]) -> Result<(), CliError> {
        match form {
            Output::Json => {
                listing.page(items.iter().map(|item| ((self.json)(item), array::from_fn(|_| String::new()))))
            }
            Output::Table => listing.page(items.iter().flat_map(self.rows).map(|row| (Value::Null, row))),
        }
    }
}

//! Services as one flat Parquet table.
//!
//! At a hundred times the data memory stays at one row group.

use std::io::Write;

use arrow_schema::SchemaRef;
use hinomi_model::Service;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use crate::error::LakeError;
use crate::facts::list;
use crate::sightings::halves;
use crate::table::Effort;
use crate::table::columns;
use crate::table::definition::{Column, Definition, Kind};
use crate::table::write;

/// The table.
static SERVICES: Definition = Definition {
    name: "services",
    description: "The result of a query: services as last seen.",
    columns: &[
        &[
            Column::new("address", Kind::Text),
            Column::new("address_high", Kind::Long),
            Column::new("address_low", Kind::Long),
            Column::new("port", Kind::Int),
            Column::new("transport", Kind::Text),
            Column::new("first_seen", Kind::Time),
            Column::new("last_seen", Kind::Time),
            Column::new("sensor", Kind::Text),
            Column::new("asn", Kind::Long).optional(),
            Column::new("country", Kind::Text).optional(),
        ],
        &list::COLUMNS,
        &[
            Column::new("evidence", Kind::References),
            Column::new("embargo", Kind::Time).optional(),
            Column::new("licence", Kind::Text).optional(),
            Column::new("handling", Kind::Texts),
        ],
        &list::CRYPTO,
    ],
    sorted_by: &["address_high", "address_low", "port"],
    format: 1,
};

/// Services gathered before they are encoded.
const ENCODED_ROWS: usize = 4_096;

/// Writes services as they come.
pub(super) struct Writer<'o> {
    schema: SchemaRef,
    gathered: Vec<Service>,
    inner: ArrowWriter<&'o mut (dyn Write + Send)>,
}

impl<'o> Writer<'o> {
    /// Into this.
    pub(super) fn new(out: &'o mut (dyn Write + Send)) -> Result<Self, LakeError> {
        let schema = SERVICES.arrow_schema();
        let options = write::options(&SERVICES, Effort::Thorough);
        let inner = ArrowWriter::try_new_with_options(out, schema.clone(), options).map_err(refused)?;
        Ok(Self { schema, gathered: Vec::new(), inner })
    }

    /// Takes one service.
    pub(super) fn take(&mut self, service: Service) -> Result<(), LakeError> {
        self.gathered.push(service);
        if self.gathered.len() < ENCODED_ROWS { Ok(()) } else { self.encode() }
    }

    /// Writes what is left and the footer.
    pub(super) fn finish(mut self) -> Result<(), LakeError> {
        self.encode()?;
        self.inner.close().map_err(refused)?;
        Ok(())
    }

    fn encode(&mut self) -> Result<(), LakeError> {
        let services = std::mem::take(&mut self.gathered);
        let all = || services.iter();
        let list_error = |error| LakeError::damaged("rows to be written", &error);
        let mut arrays = vec![
            columns::texts(all().map(|one| one.key.address.to_string())),
            columns::longs(all().map(|one| halves(one.key.address).0)),
            columns::longs(all().map(|one| halves(one.key.address).1)),
            columns::ints(all().map(|one| i32::from(one.key.port))),
            columns::texts(all().map(|one| one.key.transport.name())),
            columns::times(all().map(|one| Some(one.first_seen))),
            columns::times(all().map(|one| Some(one.last_seen))),
            columns::texts(all().map(|one| one.sensor.as_str())),
            columns::maybe_longs(all().map(|one| one.asn.map(i64::from))),
            columns::maybe_texts(all().map(|one| one.country.as_deref())),
        ];
        arrays.extend(list::arrays(|| all().map(|one| &*one.facts)).map_err(list_error)?);
        arrays.push(columns::reference_lists(all().map(|one| one.evidence.as_slice())).map_err(list_error)?);
        arrays.push(columns::times(all().map(|one| one.terms.embargo)));
        arrays.push(columns::maybe_texts(all().map(|one| one.terms.licence.as_deref())));
        let words: Vec<Vec<String>> = all().map(|one| one.terms.handling.iter().cloned().collect()).collect();
        arrays.push(columns::text_lists(words.iter().map(Vec::as_slice)).map_err(list_error)?);
        arrays.extend(list::crypto_arrays(|| all().map(|one| &*one.facts)).map_err(list_error)?);
        self.inner.write(&columns::batch(&self.schema, arrays)?).map_err(refused)
    }
}

fn refused(source: ParquetError) -> LakeError {
    LakeError::Parquet { what: "writing the export".to_owned(), source }
}

//! Services as one flat Parquet table.
//!
//! At a hundred times the data memory stays at one row group.

use std::io::Write;

use arrow_schema::SchemaRef;
use hinomi_model::Service;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use crate::error::LakeError;
use crate::sightings::halves;
use crate::table::columns;
use crate::table::definition::{Column, Definition, Kind};
use crate::table::write;

/// The table.
static SERVICES: Definition = Definition {
    name: "services",
    description: "The result of a query: services as last seen.",
    columns: &[
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
        Column::new("protocol", Kind::Text).optional(),
        Column::new("tls", Kind::Bool),
        Column::new("vendor", Kind::Text).optional(),
        Column::new("product", Kind::Text).optional(),
        Column::new("version", Kind::Text).optional(),
        Column::new("model", Kind::Text).optional(),
        Column::new("firmware", Kind::Text).optional(),
        Column::new("kind", Kind::Text).optional(),
        Column::new("os", Kind::Text).optional(),
        Column::new("cpe", Kind::Texts),
        Column::new("confidence", Kind::Int),
        Column::new("title", Kind::Text).optional(),
        Column::new("summary", Kind::Text).optional(),
        Column::new("certificate_subject", Kind::Text).optional(),
        Column::new("certificate_issuer", Kind::Text).optional(),
        Column::new("certificate_not_after", Kind::Time).optional(),
        Column::new("certificate_sha256", Kind::Text).optional(),
        Column::new("hassh", Kind::Text).optional(),
        Column::new("host_key", Kind::Text).optional(),
        Column::new("tags", Kind::Texts),
        Column::new("evidence", Kind::References),
    ],
    sorted_by: &["address_high", "address_low", "port"],
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
        let options = write::options(&SERVICES);
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
        let facts = || services.iter().map(|one| &one.facts);
        let certificates = || facts().map(|one| one.certificate.as_ref());
        let list_error = |error| LakeError::damaged("rows to be written", &error);
        let columns = vec![
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
            columns::maybe_texts(facts().map(|one| one.protocol.as_ref().map(|name| name.as_str()))),
            columns::bools(facts().map(|one| Some(one.tls))),
            columns::maybe_texts(facts().map(|one| one.vendor.as_deref())),
            columns::maybe_texts(facts().map(|one| one.product.as_deref())),
            columns::maybe_texts(facts().map(|one| one.version.as_deref())),
            columns::maybe_texts(facts().map(|one| one.model.as_deref())),
            columns::maybe_texts(facts().map(|one| one.firmware.as_deref())),
            columns::maybe_texts(facts().map(|one| one.kind.map(|kind| kind.name()))),
            columns::maybe_texts(facts().map(|one| one.os.as_deref())),
            columns::text_lists(facts().map(|one| Some(one.cpe.as_slice()))).map_err(list_error)?,
            columns::ints(facts().map(|one| i32::from(one.confidence.as_percent()))),
            columns::maybe_texts(facts().map(|one| one.title.as_deref())),
            columns::maybe_texts(facts().map(|one| one.summary.as_deref())),
            columns::maybe_texts(certificates().map(|one| Some(one?.subject.as_str()))),
            columns::maybe_texts(certificates().map(|one| Some(one?.issuer.as_str()))),
            columns::times(certificates().map(|one| Some(one?.not_after))),
            columns::maybe_texts(certificates().map(|one| Some(one?.sha256.as_str()))),
            columns::maybe_texts(facts().map(|one| one.hassh.as_deref())),
            columns::maybe_texts(facts().map(|one| one.host_key.as_deref())),
            columns::text_lists(facts().map(|one| Some(one.tags.as_slice()))).map_err(list_error)?,
            columns::reference_lists(all().map(|one| one.evidence.as_slice())).map_err(list_error)?,
        ];
        self.inner.write(&columns::batch(&self.schema, columns)?).map_err(refused)
    }
}

fn refused(source: ParquetError) -> LakeError {
    LakeError::Parquet { what: "writing the export".to_owned(), source }
}

//! The same looks as rows of Parquet, which the other engines load: one row for each service and week, words and facts
//! as columns.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder, TimestampMicrosecondBuilder, UInt16Builder, UInt32Builder};
use arrow_array::{ArrayRef, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::rules::Told;
use crate::world::{Look, World, net_of};

const BATCH: usize = 65_536;

/// Rows on their way into one file.
pub struct Rows<'w> {
    world: &'w World,
    told: Told,
    writer: Option<ArrowWriter<File>>,
    path: std::path::PathBuf,
    columns: Columns,
    rows: u64,
}

#[derive(Default)]
struct Columns {
    len: usize,
    ip: UInt32Builder,
    port: UInt16Builder,
    transport: StringBuilder,
    time: TimestampMicrosecondBuilder,
    asn: UInt32Builder,
    country: StringBuilder,
    prefecture: StringBuilder,
    protocol: StringBuilder,
    vendor: StringBuilder,
    product: StringBuilder,
    version: StringBuilder,
    kind: StringBuilder,
    banner: StringBuilder,
    extra: BinaryBuilder,
}

impl<'w> Rows<'w> {
    pub fn new(world: &'w World, told: Told, path: &Path) -> Self {
        Self { world, told, writer: None, path: path.to_owned(), columns: Columns::default(), rows: 0 }
    }

    pub fn put(&mut self, look: &Look) {
        let place = self.world.place(net_of(look.address));
        let facts = self.told.of(&look.said);
        let columns = &mut self.columns;
        columns.ip.append_value(u32::from(look.address));
        columns.port.append_value(look.said.port);
        columns.transport.append_value(look.said.transport.name());
        columns.time.append_value(look.time_micros);
        columns.asn.append_value(place.asn);
        columns.country.append_value(place.country);
        columns.prefecture.append_option(place.prefecture.map(|number| format!("prefecture-{number}")));
        columns.protocol.append_option(facts.protocol.as_ref().map(|one| one.as_str()));
        columns.vendor.append_option(facts.vendor.as_deref());
        columns.product.append_option(facts.product.as_deref());
        columns.version.append_option(facts.version.as_deref());
        columns.kind.append_option(facts.kind.map(|kind| kind.name()));
        columns.banner.append_value(&look.said.banner);
        columns.extra.append_option(look.said.extra.as_ref().map(|(_, bytes)| bytes));
        columns.len += 1;
        self.rows += 1;
        if columns.len >= BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let batch = std::mem::take(&mut self.columns).finish();
        let writer = self.writer.get_or_insert_with(|| {
            let level = ZstdLevel::try_new(1).expect("a level");
            let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
            let file = File::create(&self.path).expect("a file for the rows");
            ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a writer")
        });
        writer.write(&batch).expect("rows written");
    }

    /// Ends the file; the number of rows in it.
    pub fn finish(mut self) -> u64 {
        self.flush();
        self.writer.take().map(|writer| writer.close().expect("the file closed"));
        self.rows
    }
}

impl Columns {
    fn finish(mut self) -> RecordBatch {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("ip", Arc::new(self.ip.finish())),
            ("port", Arc::new(self.port.finish())),
            ("transport", Arc::new(self.transport.finish())),
            ("time", Arc::new(self.time.finish())),
            ("asn", Arc::new(self.asn.finish())),
            ("country", Arc::new(self.country.finish())),
            ("prefecture", Arc::new(self.prefecture.finish())),
            ("protocol", Arc::new(self.protocol.finish())),
            ("vendor", Arc::new(self.vendor.finish())),
            ("product", Arc::new(self.product.finish())),
            ("version", Arc::new(self.version.finish())),
            ("kind", Arc::new(self.kind.finish())),
            ("banner", Arc::new(self.banner.finish())),
            ("extra", Arc::new(self.extra.finish())),
        ];
        RecordBatch::try_from_iter(columns.into_iter().map(|(name, array)| (name, array)))
            .expect("columns of one length")
    }
}

/// The prefix of so many bits around an address.
pub fn around(address: Ipv4Addr, bits: u32) -> String {
    format!("{}/{bits}", Ipv4Addr::from(u32::from(address) & (u32::MAX << (32 - bits))))
}

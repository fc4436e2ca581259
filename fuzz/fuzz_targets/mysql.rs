//! First packets of MySQL servers.
#![no_main]

use hinomi_wire::mysql;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(greeting) = mysql::parse(bytes) else { return };
    let [first, second] = &greeting.salts;
    for range in [&greeting.version, &greeting.connection, first, second, &greeting.plugin] {
        assert!(bytes.get(range.clone()).is_some(), "{range:?}");
    }
    let mut masked = bytes.to_vec();
    mysql::mask(&mut masked);
    assert_eq!(mysql::parse(&masked).as_ref(), Ok(&greeting));
});

//! Prints the description of a media server, as it is under this base:
//! `cargo run -p examples --example print-description -- http://192.168.1.2:8096/jellyfin`.

use std::error::Error;

use jellynet_ssdp::description::Description;

#[expect(clippy::print_stdout, reason = "this is what the example is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let base = std::env::args().nth(1);
    let base = base.as_deref().unwrap_or("http://192.168.1.2:8096");
    // A Jellyfin server uses its server id.
    let uuid = "2fac123431f811b4a22208002b34c003".parse()?;
    let mut description = Description::media_server(uuid, "Living room");
    description.model_number = Some("10.11.0".to_owned());
    print!("{}", description.to_xml(base));
    Ok(())
}

#!/usr/bin/env bash
# Makes the bindings anew after a change of the contract. Needs: cargo install wit-bindgen-cli@0.61.1
set -eu
cd "$(dirname "$0")"
wit=../../../wit/vestibule-plugin-0.1.0
shared=
for interface in inbound outcome effects log clock random config kv; do
  shared="$shared --with vestibule:plugin/$interface@0.1.0=crate::bindings::host::vestibule::plugin::$interface"
done
make() { # file, world, options
  out=$(mktemp -d)
  wit-bindgen rust "$wit" --world "$2" --out-dir "$out" --format ${3:-}
  { echo "//! @generated from wit/vestibule-plugin-0.1.0 by wit-bindgen 0.61 (see mod.rs): world \`$2\`. Never edited by hand."
    cat "$out"/*.rs; } > "$1.rs"
}
make host host --generate-all
make enrichment enrichment-plugin "--pub-export-macro $shared"
make routing routing-plugin "--pub-export-macro $shared"
make auto_reply auto-reply-plugin "--pub-export-macro $shared"
rustfmt --edition 2024 mod.rs
sha256sum "$wit/plugin.wit" | cut -d' ' -f1 > contract.sha256

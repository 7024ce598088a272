#!/usr/bin/env bash
# Makes the bindings anew after a change of the contract. Needs: cargo install wit-bindgen-cli@0.61.1
set -eu
cd "$(dirname "$0")"
wit=../../../wit/next
shared=
for interface in types inbound occasions refusal replies effects log clock random config kv reads window contacts conversation templates http; do
  shared="$shared --with vestibule:plugin/$interface@0.3.0=crate::bindings::host::vestibule::plugin::$interface"
done
make() { # file, world, options
  out=$(mktemp -d)
  wit-bindgen rust "$wit" --world "$2" --out-dir "$out" --format ${3:-}
  { echo "//! @generated from wit/next by wit-bindgen 0.61 (see mod.rs): world \`$2\`. Never edited by hand."
    cat "$out"/*.rs; } > "$1.rs"
}
make host host "--generate-all -d PartialEq --additional-derive-ignore message --additional-derive-ignore conversation --additional-derive-ignore event --additional-derive-ignore timer --additional-derive-ignore receipt --additional-derive-ignore contact --additional-derive-ignore known-template"
for hook in enrichment routing auto-reply on-event on-timer on-receipt; do
  make "${hook//-/_}" "$hook-plugin" "--pub-export-macro $shared"
done
rustfmt --edition 2024 mod.rs
cat "$wit"/*.wit | sha256sum | cut -d' ' -f1 > contract.sha256

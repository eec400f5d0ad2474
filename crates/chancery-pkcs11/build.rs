//! The library stays mapped for the life of the process: its thread must not lose its code to a dlclose. Its function
//! lists name its own functions, also in a process where another module's were loaded for all to see.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-Bsymbolic");
}

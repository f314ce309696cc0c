# SPDX-License-Identifier: Apache-2.0
# Libraries from outside, each found by pkg-config, each used by the folders DESIGN names.
find_package(PkgConfig REQUIRED)

# cairn_depend(NAME DEBIAN-PACKAGE MODULE): an imported target PkgConfig::NAME, or the package to install.
function(cairn_depend name package module)
    pkg_check_modules(${name} QUIET IMPORTED_TARGET GLOBAL ${module})
    if(NOT ${name}_FOUND)
        message(FATAL_ERROR "${module} is missing: install Debian's ${package} (or run ./dev build)")
    endif()
endfunction()

cairn_depend(SODIUM libsodium-dev "libsodium>=1.0.18")
cairn_depend(SSL libssl-dev "libssl>=3.0")
cairn_depend(CRYPTO libssl-dev "libcrypto>=3.0")
cairn_depend(UV libuv1-dev "libuv>=1.44")
cairn_depend(MSGPACK libmsgpack-dev "msgpack>=4.0")
cairn_depend(CYAML libcyaml-dev "libcyaml>=1.3")
cairn_depend(YAML libyaml-dev "yaml-0.1")
cairn_depend(SQLITE libsqlite3-dev "sqlite3>=3.40")
cairn_depend(JANSSON libjansson-dev "jansson>=2.14")
cairn_depend(ZLIB zlib1g-dev zlib)
cairn_depend(PNG libpng-dev "libpng>=1.6")
cairn_depend(JPEG libturbojpeg0-dev "libturbojpeg>=2.0")
find_package(Threads REQUIRED)

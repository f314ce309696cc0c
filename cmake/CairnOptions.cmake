# SPDX-License-Identifier: Apache-2.0
# Language, warnings, hardening and sanitizers, the same for gcc and clang.
include(CheckCCompilerFlag)
include(CheckPIESupported)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

option(CAIRN_TESTS "Build the tests" ON)
set(CAIRN_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")
option(CAIRN_FUZZ "Build the fuzz targets with libFuzzer (clang)" OFF)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug or Release" FORCE)
endif()

find_program(CCACHE ccache)
if(CCACHE)
    set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE}")
endif()

check_pie_supported(LANGUAGES C)

# Kept off the tests: Criterion's macros trip -Wconversion.
add_library(cairn_warnings INTERFACE)
target_compile_options(cairn_warnings INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes -Wmissing-prototypes
    -Wformat=2 -Wundef -Wpointer-arith -Wcast-qual -Werror)

add_compile_definitions(_GNU_SOURCE)
add_compile_options(-fno-common -fno-math-errno -g)
add_compile_options($<$<CONFIG:Release>:-O2> $<$<CONFIG:Debug>:-O1>)

# Hardening: position-independent programs whose relocations are read-only before main starts,
# guarded stacks, checked library calls, and branch targets where the processor knows them.
add_compile_options(-fstack-protector-strong)
set(CMAKE_REQUIRED_FLAGS -Werror) # clang only warns of what the target does not have
foreach(flag -fstack-clash-protection -fcf-protection=full -mbranch-protection=standard)
    string(MAKE_C_IDENTIFIER "CAIRN_HAS${flag}" known)
    check_c_compiler_flag(${flag} ${known})
    if(${known})
        add_compile_options(${flag})
    endif()
endforeach()
unset(CMAKE_REQUIRED_FLAGS)
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)

if(CAIRN_SANITIZE)
    add_compile_options(-fsanitize=${CAIRN_SANITIZE} -fno-omit-frame-pointer
                        -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${CAIRN_SANITIZE})
    # gcc 12 gives false alarms of these kinds when UBSan's checks are woven in.
    target_compile_options(cairn_warnings INTERFACE
        $<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-stringop-overflow
                               -Wno-array-bounds -Wno-format-truncation>)
else()
    add_compile_options($<$<CONFIG:Release>:-U_FORTIFY_SOURCE> $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>)
endif()

if(CAIRN_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "CAIRN_FUZZ needs clang: cmake --preset fuzz")
    endif()
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

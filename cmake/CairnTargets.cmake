# SPDX-License-Identifier: Apache-2.0
# One folder, one static library; one stem, one test. Sources are what lies in the folder.

# cairn_library(NAME [PUBLIC target...] [PRIVATE target...]): every .c of this folder except main.c,
# as target cairn_NAME. PUBLIC only what the folder's headers need.
function(cairn_library name)
    cmake_parse_arguments(ARG "" "" "PUBLIC;PRIVATE" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS *.c)
    list(FILTER sources EXCLUDE REGEX "/main\\.c$")
    if(NOT sources)
        add_library(cairn_${name} INTERFACE)
        target_link_libraries(cairn_${name} INTERFACE ${ARG_PUBLIC} ${ARG_PRIVATE})
        return()
    endif()
    add_library(cairn_${name} STATIC ${sources})
    target_include_directories(cairn_${name} PUBLIC "${CMAKE_SOURCE_DIR}")
    target_link_libraries(cairn_${name} PUBLIC ${ARG_PUBLIC} PRIVATE cairn_warnings ${ARG_PRIVATE} m)
endfunction()

# cairn_program(NAME target...): main.c of this folder as the program NAME, installed into bin/.
function(cairn_program name)
    if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/main.c")
        return()
    endif()
    add_executable(${name} main.c)
    target_link_libraries(${name} PRIVATE cairn_warnings ${ARGN})
    install(TARGETS ${name} RUNTIME)
endfunction()

# What a sanitizer prints when it found something; no test passes with it in its output.
set(CAIRN_ALARMS "ERROR: (Address|Leak)Sanitizer;WARNING: ThreadSanitizer;runtime error:")

# cairn_test_program(TARGET SOURCE... LIBRARIES target...): a program in tests/ of the build folder.
function(cairn_test_program target)
    cmake_parse_arguments(ARG "" "" "LIBRARIES" ${ARGN})
    add_executable(${target} ${ARG_UNPARSED_ARGUMENTS})
    target_link_libraries(${target} PRIVATE ${ARG_LIBRARIES} m)
    target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}")
    target_compile_options(${target} PRIVATE -Wall -Wextra -Werror
        $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>)
    target_compile_definitions(${target} PRIVATE
        CAIRN_SOURCE_DIR="${CMAKE_SOURCE_DIR}" CAIRN_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
    set_target_properties(${target} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
endfunction()

# cairn_tests(FOLDER target...): every tests/FOLDER/test_STEM.c as the Criterion program
# test_FOLDER_STEM, and every thread_STEM.c as a plain program thread_FOLDER_STEM. Criterion does not
# start under ThreadSanitizer: there only the plain programs are built.
function(cairn_tests folder)
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/test_*.c)
    if(CAIRN_SANITIZE MATCHES "thread")
        set(sources "")
    endif()
    foreach(source ${sources})
        get_filename_component(stem "${source}" NAME_WE)
        string(REGEX REPLACE "^test_" "" stem "${stem}")
        set(test "${folder}_${stem}")
        cairn_test_program(test_${test} "${source}" LIBRARIES ${ARGN} PkgConfig::CRITERION)
        add_test(NAME ${test} COMMAND test_${test} --jobs 1)
        # Criterion lets a leak pass with exit code 0; the sanitizer's report does not.
        set_tests_properties(${test} PROPERTIES TIMEOUT 300
            FAIL_REGULAR_EXPRESSION "${CAIRN_ALARMS}")
    endforeach()
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/thread_*.c)
    foreach(source ${sources})
        get_filename_component(stem "${source}" NAME_WE)
        string(REGEX REPLACE "^thread_" "" stem "${stem}")
        set(test "thread_${folder}_${stem}")
        cairn_test_program(${test} "${source}" LIBRARIES ${ARGN} Threads::Threads)
        add_test(NAME ${test} COMMAND ${test})
        set_tests_properties(${test} PROPERTIES TIMEOUT 300
            FAIL_REGULAR_EXPRESSION "${CAIRN_ALARMS}")
    endforeach()
endfunction()

# cairn_fuzz(STEM target...): tests/fuzz/fuzz_STEM.c, which defines LLVMFuzzerTestOneInput, as
# fuzz_STEM. With CAIRN_FUZZ a libFuzzer program; otherwise linked with replay.c, and a test that
# replays tests/fuzz/corpus/STEM/ with truncations and mutations of each file.
function(cairn_fuzz stem)
    set(test fuzz_${stem})
    set(corpus "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${stem}")
    if(CAIRN_FUZZ)
        cairn_test_program(${test} fuzz/${test}.c LIBRARIES ${ARGN})
        target_link_options(${test} PRIVATE -fsanitize=fuzzer)
        add_test(NAME ${test} COMMAND ${test} -runs=0 "${corpus}")
    else()
        cairn_test_program(${test} fuzz/${test}.c fuzz/replay.c LIBRARIES ${ARGN})
        add_test(NAME ${test} COMMAND ${test} "${corpus}")
    endif()
    set_tests_properties(${test} PROPERTIES TIMEOUT 120
        FAIL_REGULAR_EXPRESSION "${CAIRN_ALARMS}")
endfunction()

# cairn_script_test(NAME SCRIPT SECONDS): a shell script, alone on the machine, that finds the
# programs in $CAIRN_BIN and the tree in $CAIRN_SOURCE.
function(cairn_script_test name script seconds)
    add_test(NAME ${name} COMMAND bash "${script}")
    set_tests_properties(${name} PROPERTIES TIMEOUT ${seconds} RUN_SERIAL ON
        ENVIRONMENT "CAIRN_BIN=${CMAKE_BINARY_DIR}/bin;CAIRN_SOURCE=${CMAKE_SOURCE_DIR}"
        FAIL_REGULAR_EXPRESSION "${CAIRN_ALARMS}")
endfunction()

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
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    install(TARGETS ${name} RUNTIME)
endfunction()

# cairn_tests(FOLDER target...): every tests/FOLDER/test_STEM.c as a Criterion program FOLDER_STEM.
function(cairn_tests folder)
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/test_*.c)
    foreach(source ${sources})
        get_filename_component(stem "${source}" NAME_WE)
        string(REPLACE "test_" "" stem "${stem}")
        set(test "${folder}_${stem}")
        add_executable(test_${test} "${source}")
        target_link_libraries(test_${test} PRIVATE ${ARGN} PkgConfig::CRITERION m)
        target_compile_options(test_${test} PRIVATE -Wall -Wextra -Werror)
        set_target_properties(test_${test} PROPERTIES
            RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
        target_compile_definitions(test_${test} PRIVATE
            CAIRN_SOURCE_DIR="${CMAKE_SOURCE_DIR}" CAIRN_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
        add_test(NAME ${test} COMMAND test_${test} --jobs 1)
        # Criterion lets a leak pass with exit code 0; the sanitizer's report does not.
        set_tests_properties(${test} PROPERTIES TIMEOUT 300
            FAIL_REGULAR_EXPRESSION "ERROR: (Address|Leak|Thread)Sanitizer;runtime error:")
    endforeach()
endfunction()

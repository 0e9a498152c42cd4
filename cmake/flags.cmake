# Warnings are errors on g++ 12 and clang 14; hardening in every build that is not a sanitizer build.
include(CheckPIESupported)
check_pie_supported()

add_library(parley_flags INTERFACE)
target_compile_options(parley_flags INTERFACE
  -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Werror -fno-strict-aliasing)
if(PARLEY_QUICK_BUILD)
  # What another source has for itself is not shadowed, and no source of several is what g++ takes for the main file.
  target_compile_options(parley_flags INTERFACE -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()
target_include_directories(parley_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})

if(PARLEY_SANITIZE)
  # vptr checks need RTTI, which the parts below tools/ are built without: they would report every object from there.
  add_compile_options(-fsanitize=${PARLEY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -fno-sanitize=vptr)
  add_link_options(-fsanitize=${PARLEY_SANITIZE})
  add_compile_definitions(PARLEY_SANITIZED=1)
  # Instrumented code confuses this warning of g++ 12: it finds uninitialised members inside std::regex.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
else()
  target_compile_options(parley_flags INTERFACE -fstack-protector-strong -fstack-clash-protection -fcf-protection)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_definitions(parley_flags INTERFACE _FORTIFY_SOURCE=2)
  endif()
  add_link_options(-pie -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
add_compile_definitions(_GLIBCXX_ASSERTIONS)

# Below the tools nothing throws and nothing asks for types at run time.
add_library(parley_flags_core INTERFACE)
target_link_libraries(parley_flags_core INTERFACE parley_flags)
target_compile_options(parley_flags_core INTERFACE
  "$<$<NOT:$<BOOL:$<TARGET_PROPERTY:PARLEY_EXCEPTIONS>>>:-fno-exceptions;-fno-rtti>")
# For targets that use these libraries and others that need both.
function(parley_exceptions target)
  set_target_properties(${target} PROPERTIES PARLEY_EXCEPTIONS ON)
endfunction()

# For targets that are on no message's path, flags and pages above all, whose libraries are slow to compile.
if(PARLEY_SANITIZE)
  set(PARLEY_OFF_PATH_LEVEL -O0)
else()
  set(PARLEY_OFF_PATH_LEVEL $<$<NOT:$<CONFIG:Debug>>:-O1>)
endif()
function(parley_off_path target)
  target_compile_options(${target} PRIVATE -g1 ${PARLEY_OFF_PATH_LEVEL})
endfunction()

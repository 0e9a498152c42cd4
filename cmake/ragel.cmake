# parley_ragel(target file.rl): adds the generated source to the target. -G2 is the fast code form; the generated
# file is not kept in the tree.
find_program(RAGEL ragel REQUIRED)
function(parley_ragel target source)
  get_filename_component(name ${source} NAME_WE)
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  set(output ${CMAKE_BINARY_DIR}/generated/${folder}/${name}_rl.cc)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated/${folder})
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${RAGEL} -C -G2 -L -o ${output} ${CMAKE_CURRENT_SOURCE_DIR}/${source}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${source}
    COMMENT "ragel ${folder}/${source}")
  target_sources(${target} PRIVATE ${output})
  # Generated state code jumps between cases on purpose and carries tables that a grammar may not use.
  set_source_files_properties(${output} PROPERTIES COMPILE_OPTIONS
    "-Wno-implicit-fallthrough;-Wno-unused-const-variable;-Wno-unused-variable;-Wno-sign-conversion;-Wno-conversion")
endfunction()

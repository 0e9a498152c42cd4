# parley_ragel(target): adds the sources generated from the folder's *.rl to the target. -G2 is the fast code form; the
# generated files are not kept in the tree. Grammars that others include are *.rli, named from the root.
find_program(RAGEL ragel REQUIRED)
file(GLOB PARLEY_INCLUDED_GRAMMARS CONFIGURE_DEPENDS
  ${CMAKE_SOURCE_DIR}/core/*.rli ${CMAKE_SOURCE_DIR}/msrp/*.rli ${CMAKE_SOURCE_DIR}/sip/*.rli)
function(parley_ragel target)
  file(GLOB grammars CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.rl)
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated/${folder})
  foreach(grammar ${grammars})
    get_filename_component(name ${grammar} NAME_WE)
    set(output ${CMAKE_BINARY_DIR}/generated/${folder}/${name}_rl.cc)
    add_custom_command(
      OUTPUT ${output}
      COMMAND ${RAGEL} -C -G2 -L -I ${CMAKE_SOURCE_DIR} -o ${output} ${grammar}
      DEPENDS ${grammar} ${PARLEY_INCLUDED_GRAMMARS}
      COMMENT "ragel ${folder}/${name}.rl")
    target_sources(${target} PRIVATE ${output})
    # Generated state code jumps between cases on purpose and carries tables that a grammar may not use.
    set_source_files_properties(${output} PROPERTIES COMPILE_OPTIONS
      "-Wno-implicit-fallthrough;-Wno-unused-const-variable;-Wno-unused-variable;-Wno-sign-conversion;-Wno-conversion")
  endforeach()
endfunction()

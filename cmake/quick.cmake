# tools/test begins with an empty cache and builds everything three times; most of what the compiler does then is to read
# the same headers again. With this it is given several sources at a time, and the headers of tests precompiled. Off by
# default: a source that lacks an include is not noticed, a change compiles its neighbours too, and ccache cannot share what
# is compiled this way between build folders. `TEST_STEPS=plain tools/test` looks for the first.
option(PARLEY_QUICK_BUILD "compile several sources at a time, and the headers that tests share once" OFF)
if(PARLEY_QUICK_BUILD)
  set(CMAKE_UNITY_BUILD ON)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 12)
endif()

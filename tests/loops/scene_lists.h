// tests/loops/scene_lists.h - the parts that scenes() is put together from.
#pragma once

#include <vector>

#include "tests/loops/harness.h"

namespace parley::loops {

std::vector<Scene> tcp_scenes();
std::vector<Scene> pipe_scenes();
std::vector<Scene> datagram_scenes();
std::vector<Scene> mail_scenes();
std::vector<Scene> process_scenes();

}  // namespace parley::loops

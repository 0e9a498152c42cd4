// tools/parleyd/document_files.h - the files below --documents, as bytes: what they say is policy/documents.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/documents.h"

namespace parley::parleyd {

struct DocumentFilesResult {
  std::vector<policy::DocumentFile> files;  // by name
  std::string error;                        // "DIR/groups/team.xml: Permission denied"; empty: good
  std::vector<std::string> warnings;
};

// All *.xml in `directory` and in the directories right below it. Names that begin with '.' are passed over: editors
// and those who put files in place keep theirs there.
DocumentFilesResult read_document_files(const std::string& directory, std::uint32_t files_max, std::uint64_t bytes_max);

}  // namespace parley::parleyd

// tools/parley/disk_files.h - files on disk: read as they go out, written as they come in.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "tools/parley/byte_source.h"
#include "tools/parley/file_store.h"

namespace parley::client {

struct OpenedFile {
  std::shared_ptr<const ByteSource> source{};  // null: `error` says why
  FileOffer offer;                             // name, type, size and hash
  std::string error{};
};
[[nodiscard]] OpenedFile open_file(const std::string& path, const std::string& type);

// Files go into `directory` under the last part of the name they were offered by; one that is there already is left
// alone, and the new one gets a number. Until it is complete a file is called NAME.part, and stays that when it is cut
// off. An empty directory refuses all.
class DiskFiles final : public FileStore {
 public:
  explicit DiskFiles(std::string directory) : directory_(std::move(directory)) {}
  ~DiskFiles() override;
  [[nodiscard]] std::uint16_t begin(std::uint32_t session, const FileOffer& offer) override;
  [[nodiscard]] bool write(std::uint32_t session, std::uint64_t start, std::string_view bytes) override;
  Result end(std::uint32_t session, bool whole) override;
  void remove(const std::string& path) override;

 private:
  struct File {
    int fd = -1;
    std::string name{};
    int number = 0;  // before the name, where it is not 0
    FileOffer offer;
  };
  [[nodiscard]] std::string path_of(const std::string& name, int number) const;

  std::string directory_;
  std::map<std::uint32_t, File> files_;
};

// The last part of a path, without what no file name should have; never empty, "." or "..".
[[nodiscard]] std::string safe_name(std::string_view name);

}  // namespace parley::client

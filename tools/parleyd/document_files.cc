// tools/parleyd/document_files.cc - see document_files.h.
#include "tools/parleyd/document_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace parley::parleyd {
namespace {

namespace fs = std::filesystem;

class Files {
 public:
  Files(std::string directory, std::uint32_t files_max, std::uint64_t bytes_max)
      : directory_(std::move(directory)), files_max_(files_max), bytes_left_(bytes_max) {}

  DocumentFilesResult read() {
    std::vector<std::string> names;
    list("", names);
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      if (result_.error.empty()) read_file(name);
    }
    if (!result_.error.empty()) result_.files.clear();
    return std::move(result_);
  }

 private:
  void fail(const std::string& name, const std::string& why) {
    if (result_.error.empty()) result_.error = directory_ + (name.empty() ? "" : "/" + name) + ": " + why;
  }

  // `below` is empty or "groups/".
  void list(const std::string& below, std::vector<std::string>& names) {
    std::error_code error;
    fs::directory_iterator at(directory_ + "/" + below, error);
    for (; !error && at != fs::directory_iterator(); at.increment(error)) {
      const std::string name = at->path().filename();
      if (name.starts_with('.')) continue;
      std::error_code kind;
      if (at->is_directory(kind)) {
        if (below.empty()) list(name + "/", names);
      } else if (name.ends_with(".xml")) {
        if (names.size() == files_max_) return fail("", "holds more files than --documents-files-max");
        names.push_back(below + name);
      }
    }
    if (error) fail(below, error.message());
  }

  void read_file(const std::string& name) {
    const int fd = ::open((directory_ + "/" + name).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fail(name, std::strerror(errno));
    struct stat about {};
    if (::fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
      ::close(fd);
      return fail(name, "is not a file");
    }
    policy::DocumentFile file{.name = name, .bytes = {}};
    std::array<char, 65536> piece{};
    ssize_t got = 0;
    while (file.bytes.size() <= bytes_left_ && (got = ::read(fd, piece.data(), piece.size())) > 0) {
      file.bytes.append(piece.data(), static_cast<std::size_t>(got));
    }
    const int error = got < 0 ? errno : 0;
    ::close(fd);
    if (error != 0) return fail(name, std::strerror(error));
    if (file.bytes.size() > bytes_left_) return fail("", "all files together are longer than --documents-bytes-max");
    bytes_left_ -= file.bytes.size();
    if ((about.st_mode & S_IWOTH) != 0)
      result_.warnings.push_back(directory_ + "/" + name + ": may be written by every user of this host");
    result_.files.push_back(std::move(file));
  }

  const std::string directory_;
  const std::uint32_t files_max_;
  std::uint64_t bytes_left_;
  DocumentFilesResult result_;
};

}  // namespace

DocumentFilesResult read_document_files(const std::string& directory, std::uint32_t files_max,
                                        std::uint64_t bytes_max) {
  return Files(directory, files_max, bytes_max).read();
}

}  // namespace parley::parleyd

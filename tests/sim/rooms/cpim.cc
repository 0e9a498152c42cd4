// tests/sim/rooms/cpim.cc - see cpim.h.
#include "tests/sim/rooms/cpim.h"

namespace parley::sim::rooms {

std::string write_cpim(const std::string& from, const std::string& to, const std::string& content) {
  return "From: <" + from + ">\r\nTo: <" + to + ">\r\nDateTime: 2026-03-04T05:06:07Z\r\n\r\nContent-Type: text/plain\r\n\r\n" +
         content;
}

std::string read_cpim(std::string_view bytes, Cpim& out) {
  const std::size_t head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return "without an end of its head";
  std::string_view head = bytes.substr(0, head_end);
  const std::string_view rest = bytes.substr(head_end + 4);
  const std::size_t mime_end = rest.find("\r\n\r\n");
  if (mime_end == std::string_view::npos) return "without an end of its MIME headers";
  if (rest.substr(0, 14) != "Content-Type: ") return "without Content-Type";
  out.content = rest.substr(mime_end + 4);
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head = end == std::string_view::npos ? std::string_view() : head.substr(end + 2);
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) return "with the line " + std::string(line);
    const std::string_view name = line.substr(0, colon);
    if (name != "From" && name != "To") continue;
    std::string& uri = name == "From" ? out.from : out.to;
    if (!uri.empty()) return "with two of " + std::string(name);
    const std::size_t open = line.find('<'), close = line.find('>');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open)
      return "with the address " + std::string(line);
    uri = line.substr(open + 1, close - open - 1);
  }
  return out.from.empty() || out.to.empty() ? "without From or To" : "";
}

std::vector<std::string> attributes(const std::string& sdp, const std::string& name) {
  std::vector<std::string> found;
  const std::string start = "a=" + name;
  for (std::size_t at = 0; at < sdp.size();) {
    const std::size_t end = std::min(sdp.find("\r\n", at), sdp.size());
    const std::string line = sdp.substr(at, end - at);
    if (line == start) found.emplace_back();
    if (line.starts_with(start + ":")) found.push_back(line.substr(start.size() + 1));
    at = end + 2;
  }
  return found;
}

std::string describe(const std::string& path, const std::string& setup, const std::string& direction, unsigned version) {
  std::string port = path.substr(path.find("//") + 2);
  port = port.substr(0, port.find('/'));
  const std::string host = port.substr(0, port.find(':'));
  port = port.substr(port.find(':') + 1);
  return "v=0\r\no=- 4711 " + std::to_string(version) + " IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 " + host + "\r\nt=0 0\r\nm=message " +
         port + " TCP/MSRP *\r\na=accept-types:message/cpim text/plain\r\na=accept-wrapped-types:*\r\na=chatroom:nickname " +
         "private-messages\r\n" + (direction.empty() ? "" : "a=" + direction + "\r\n") + "a=setup:" + setup + "\r\na=path:" +
         path + "\r\n";
}

std::string with_recipients(const std::string& sdp, const std::vector<std::string>& uris, const std::string& boundary) {
  std::string list =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\" "
      "xmlns:cp=\"urn:ietf:params:xml:ns:copyControl\"><list>";
  for (const std::string& uri : uris) list += "<entry uri=\"" + uri + "\" cp:copyControl=\"to\"/>";
  list += "</list></resource-lists>";
  return "--" + boundary + "\r\nContent-Type: application/sdp\r\n\r\n" + sdp + "\r\n--" + boundary +
         "\r\nContent-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n" + list + "\r\n--" +
         boundary + "--\r\n";
}

}  // namespace parley::sim::rooms

// The head of an HTTP request, as far as a server of one page needs it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace binlane {

struct HttpHead {
  std::string method;
  std::string path;  // without a query
  std::string accept;
};

// `head`: request line and headers, without the empty line that ends them. Nothing if it is no
// request.
std::optional<HttpHead> parse_http_head(std::string_view head);

// A whole answer, after which the connection is closed.
std::string http_answer(int code, std::string_view reason, std::string_view content_type,
                        std::string_view body);

}  // namespace binlane

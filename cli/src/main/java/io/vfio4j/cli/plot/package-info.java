// SPDX-License-Identifier: Apache-2.0
/** Draws charts as SVG: text that stands in an HTML page, with no script and nothing from elsewhere. */
@NullMarked
package io.vfio4j.cli.plot;

import org.jspecify.annotations.NullMarked;

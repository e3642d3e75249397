// SPDX-License-Identifier: Apache-2.0
/**
 * The command {@code vfio4j}: what is typed becomes parameters of core, and what core tells becomes lines, a table or
 * JSON. docs/cli.md is its manual.
 */
@NullMarked
package io.vfio4j.cli;

import org.jspecify.annotations.NullMarked;

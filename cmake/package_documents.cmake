# SPDX-License-Identifier: MIT
# What each Debian package has in /usr/share/doc, for CPack to run when it has laid out the files.
set(documents ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share/doc/${CPACK_PACKAGE_NAME})
set(changes ${documents}/changelog.Debian)

file(READ ${CPACK_PROCPOOL_SOURCE_DIR}/LICENSE license)
string(REGEX REPLACE "^[^\n]*\n\nCopyright \\(c\\) ([^\n]*)\n\n.*" "\\1" holder "${license}")
string(REGEX REPLACE "^[^\n]*\n\n[^\n]*\n\n" "" license "${license}")
string(STRIP "${license}" license)
string(REPLACE "\n\n" "\n.\n" license "${license}")
string(REPLACE "\n" "\n " license "${license}")
file(WRITE ${documents}/copyright "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: procpool

Files: *
Copyright: ${holder}
License: Expat
 ${license}
")

set(ENV{LC_ALL} C)
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC) # SOURCE_DATE_EPOCH, if it is set
set(version ${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})
file(WRITE ${changes} "${CPACK_PACKAGE_NAME} (${version}) unstable; urgency=medium

  * Version ${CPACK_PACKAGE_VERSION}; the file changelog.gz says what is in it.

 -- ${CPACK_DEBIAN_PACKAGE_MAINTAINER}  ${now}
")
file(COPY_FILE ${CPACK_PROCPOOL_SOURCE_DIR}/CHANGELOG.md ${documents}/changelog)
execute_process(COMMAND gzip -9nf ${changes} ${documents}/changelog COMMAND_ERROR_IS_FATAL ANY)

# The umask of the one who builds the package is nobody else's.
file(GLOB files ${documents}/*)
file(CHMOD ${files} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
file(GLOB_RECURSE paths LIST_DIRECTORIES true ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*)
foreach(path IN LISTS paths)
    if(IS_DIRECTORY ${path})
        file(CHMOD ${path} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
    endif()
endforeach()

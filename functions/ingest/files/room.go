package files

import (
	"context"
	"fmt"

	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/problem"
)

// Bounds of what a tenant keeps.
const (
	defaultTenantBytes = 10 << 30
	maxTenantFiles     = 10_000 // each costs a question when they are listed, and when one more comes
)

// room returns how many bytes of files a tenant may still store, for one more of at least so many; or the problem that there is
// no room for it. It costs a listing of the tenant's files. What is uploaded at the same time is not counted, nor what was
// announced and has not come: by that a tenant can be over its bound, as far as its rate lets it.
func (f *Files) room(ctx context.Context, tenant *catalog.Tenant, least int64) (int64, *problem.Problem) {
	lister, ok := f.cfg.Objects.(objects.Lister)
	if !ok {
		return least, nil
	}
	all, err := lister.List(ctx, attachments.FilesPrefix(tenant.Name))
	if err != nil {
		return 0, f.unread("list", err)
	}
	left := f.cfg.TenantBytes
	for _, info := range all {
		left -= info.Size
	}
	switch {
	case len(all) >= maxTenantFiles:
		return 0, problem.New(problem.TooLarge, fmt.Sprintf(
			"The tenant has %d files, which is as many as may be: delete some, or wait until they expire.", len(all)))
	case left < least || left <= 0:
		return 0, f.noRoom()
	default:
		return left, nil
	}
}

// noRoom is the problem of a file by which its tenant would keep too much.
func (f *Files) noRoom() *problem.Problem {
	return problem.New(problem.TooLarge, fmt.Sprintf(
		"The tenant's files may have %d bytes together, and there is no room for this one: delete some, or wait until they expire.",
		f.cfg.TenantBytes))
}
